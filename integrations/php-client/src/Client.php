<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * Calls a Keyturn host. Nothing here throws once the settings are right: whatever happens is an `Outcome`, and it is done
 * only when the host said so in the form that this request is answered in.
 */
final class Client
{
    private Settings $settings;
    private Transport $transport;

    public function __construct(Settings $settings)
    {
        $this->settings = $settings;
        $this->transport = new Transport($settings);
    }

    public function getSettings(): Settings
    {
        return $this->settings;
    }

    /** To be kept by the caller before the first attempt, and used again in each further one. */
    public static function newKey(): string
    {
        return 'kt-' . bin2hex(random_bytes(16));
    }

    /**
     * Calls a hook: one of `Shapes::HOOKS`.
     *
     * @param array<string, mixed> $arguments
     * @param ?string $key The Idempotency-Key: what changes something needs one.
     */
    public function call(
        string $hook,
        #[\SensitiveParameter]
        array $arguments,
        ?string $key = null
    ): Outcome {
        $changes = Shapes::HOOKS[$hook] ?? null;
        if ($changes === null || ($changes && $key === null)) {
            return $this->refused('unknown-hook')->withDetail('This client does not call ' . Sentences::plain($hook)
                . ($changes ? ' without an Idempotency-Key.' : '.'));
        }
        [$body, $code, $argument] = Json::encode($arguments);
        if ($body === null) {
            return $this->refused($code)->withDetail('The argument ' . $argument . ' was not sent.');
        }
        $reply = $this->send('POST', '/v1/hooks/' . $hook, '', $body, $key);
        $fits = static function (array $answer) use ($hook, $arguments): bool {
            return Shapes::fits($hook, $answer, $arguments);
        };
        unset($arguments['account'], $arguments['mode']);
        return $this->read($reply, $changes ? $key : null, $fits, array_values(array_filter($arguments, 'is_string')));
    }

    /** Whether the host answers, and lets the key ask what accounts are found by. */
    public function test(): Outcome
    {
        $works = $this->operation('keyturn-test-connection');
        return $works->isDone() ? $this->accountsNamed('keyturn-test-connection') : $works;
    }

    /** What became of the request with this Idempotency-Key: `['state' => 'done'|'under_way'|'not_done', 'hook', 'answer']`. */
    public function operation(string $key): Outcome
    {
        return $this->get('/v1/operations/' . rawurlencode($key), '', [Shapes::class, 'isOperation']);
    }

    /**
     * Which accounts have this login or address: `['accounts' => [['account' => 'customer:1', 'matched' => 'login', 'is_address' => false], …]]`.
     */
    public function accountsNamed(string $loginOrEmail): Outcome
    {
        return $this->get('/v1/accounts', 'named=' . rawurlencode($loginOrEmail), [Shapes::class, 'isAccounts']);
    }

    /**
     * The one account that is meant by a name; the answer is its id. A login outranks an address, as at sign-in. None, or more
     * than one: refused, and never guessed.
     */
    public function accountNamed(string $loginOrEmail): Outcome
    {
        if (trim($loginOrEmail) === '') {
            return $this->refused('no-name');
        }
        $found = $this->accountsNamed($loginOrEmail);
        if (!$found->isDone()) {
            return $found;
        }
        $byLogin = [];
        $all = [];
        foreach ($found->getAnswer()['accounts'] as $account) {
            $all[$account['account']] = true;
            if ($account['matched'] === 'login') {
                $byLogin[$account['account']] = true;
            }
        }
        $meant = array_map('strval', array_keys($byLogin === [] ? $all : $byLogin));
        if (count($meant) !== 1) {
            return $this->refused($meant === [] ? 'no-account' : 'ambiguous');
        }
        return Outcome::done($meant[0]);
    }

    /**
     * The same, if this email address is the account's own as well, to the letter: a user name may be anybody's, and whoever reads mail at the
     * account's address could choose its password anyhow. Whether there is an account of another's is not told.
     */
    public function accountNamedOf(string $loginOrEmail, string $email): Outcome
    {
        if (trim($loginOrEmail) === '') {
            return $this->refused('no-name');
        }
        if (trim($email) === '') {
            return $this->refused('not-theirs')->withDetail('The client has no email address.');
        }
        $theirs = $this->accountsNamed($email);
        $meant = $theirs->isDone() ? $this->accountNamed($loginOrEmail) : $theirs;
        if ($meant->isDone()) {
            foreach ($theirs->getAnswer()['accounts'] as $account) {
                if (($account['is_address'] ?? false) === true && $account['account'] === $meant->getAnswer()) {
                    return $meant;
                }
            }
            return $this->refused('not-theirs')->withDetail('The account of this user name has another email address than the client.');
        }
        return $meant->getCode() === 'no-account' ? $this->refused('not-theirs')->withDetail('No account has this user name.') : $meant;
    }

    /** `['epoch' => …]`: another one than before means that the account's password or sessions were changed. */
    public function epoch(string $account): Outcome
    {
        return $this->get('/v1/accounts/' . rawurlencode($account) . '/epoch', '', [Shapes::class, 'isEpoch']);
    }

    /** What became of a mail: `['state' => 'queued', 'to', 'attempts', 'answer', 'sentence', …]`. */
    public function mail(string $mail): Outcome
    {
        return $this->get('/v1/mails/' . rawurlencode($mail), '', static function (array $answer) use ($mail): bool {
            return Shapes::isMail($answer, $mail);
        });
    }

    public function refused(string $code): Outcome
    {
        return Outcome::refused($code, Sentences::of($code, $this->settings->getLanguage()));
    }

    public function indeterminate(string $code, string $key): Outcome
    {
        return Outcome::indeterminate($code, Sentences::of($code, $this->settings->getLanguage()), $key);
    }

    private function get(string $path, string $query, callable $fits): Outcome
    {
        return $this->read($this->send('GET', $path, $query, null, null), null, $fits, []);
    }

    private function send(
        string $method,
        string $path,
        string $query,
        #[\SensitiveParameter]
        ?string $body,
        ?string $key
    ): Reply {
        $token = $this->settings->getToken();
        $headers = ['Accept' => 'application/json, application/problem+json'];
        $headers['Accept-Language'] = $this->settings->getLanguage();
        if ($body !== null) {
            $headers['Content-Type'] = 'application/json';
        }
        if ($key !== null) {
            $headers['Idempotency-Key'] = $key;
        }
        if ($this->settings->signs()) {
            $nonce = bin2hex(random_bytes(16));
            $headers += Signature::headers($token, $method, $path, $query, $body, $key, time(), $nonce);
        } else {
            $headers['Authorization'] = 'Bearer ' . $token;
        }
        return $this->transport->send($method, $query === '' ? $path : $path . '?' . $query, $headers, $body);
    }

    /**
     * @param ?string $key Null: it changes nothing, so there is nothing that might have been done.
     * @param callable(array<string, mixed>): bool $fits
     * @param array<int, string> $sent Secrets.
     */
    private function read(
        Reply $reply,
        ?string $key,
        callable $fits,
        #[\SensitiveParameter]
        array $sent
    ): Outcome {
        $request = $reply->header('x-request-id');
        $request = preg_match('/^[A-Za-z0-9-]{1,64}\z/', $request) === 1 ? $request : '';
        if ($reply->status === 0 && !$reply->sent) {
            return $this->refused($reply->untrusted ? 'untrusted' : 'unreachable')->withDetail($reply->failure);
        }
        if ($reply->status === 0) {
            return $this->open($key, 'no-answer')->withDetail($reply->failure);
        }
        $answer = $reply->status === 200 ? Json::object($reply, 'application/json') : null;
        if ($answer !== null && $fits($answer)) {
            return Outcome::done($answer)->withRequest($request);
        }
        $problem = $reply->status >= 400 ? Problem::read($reply, $sent + [-1 => $this->settings->getToken()]) : null;
        if ($problem === null) {
            $what = 'An answer of status ' . $reply->status . ' that is not one of a Keyturn host to this request.';
            return $this->open($key, 'bad-answer')->withDetail($what)->withRequest($request);
        }
        if ($problem->settles || $key === null) {
            $message = $problem->message !== '' ? $problem->message
                : Sentences::of($problem->code, $this->settings->getLanguage());
            $outcome = Outcome::refused($problem->code, $message);
        } else {
            $outcome = $this->indeterminate('indeterminate', $key);
        }
        $detail = $problem->reason !== '' ? $problem->reason . ': ' . $problem->detail : $problem->detail;
        return $outcome->withDetail($problem->code . ($detail === '' ? '' : ': ' . $detail))->withRequest($request)
            ->withRetryAfter((int) filter_var($reply->header('retry-after'), FILTER_VALIDATE_INT, [
                'options' => ['min_range' => 0, 'max_range' => 86400],
            ]));
    }

    /** Of what changes nothing, that there was no answer is all there is to say. */
    private function open(?string $key, string $code): Outcome
    {
        return $key === null ? $this->refused($code) : $this->indeterminate('indeterminate', $key);
    }
}
