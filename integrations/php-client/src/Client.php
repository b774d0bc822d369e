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
    /** By hrtime, in seconds; null: each request has the whole time for itself. */
    private ?float $deadline = null;

    /** Seconds without which nothing is begun: a change would be cut off, and nobody would know of it. */
    private const LEAST = 0.5;

    public function __construct(Settings $settings)
    {
        $this->settings = $settings;
        $this->transport = new Transport($settings);
    }

    public function getSettings(): Settings
    {
        return $this->settings;
    }

    /** From now on all requests together have `total-seconds`: to who waits for a deed, they are one. */
    public function begin(): void
    {
        $this->deadline = hrtime(true) / 1e9 + $this->settings->getTotalSeconds();
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
     * @param ?string $clientAddress The IP address of the person for whom you call, such as at `password/verify`: attempts count
     *     for it. The key needs the scope `client-address`. Null: attempts count for the name alone.
     */
    public function call(
        string $hook,
        #[\SensitiveParameter]
        array $arguments,
        ?string $key = null,
        ?string $clientAddress = null
    ): Outcome {
        $changes = Shapes::HOOKS[$hook] ?? null;
        if ($changes === null || ($changes && $key === null)) {
            return $this->refused('unknown-hook')->withDetail('This client does not call ' . Sentences::plain($hook)
                . ($changes ? ' without an Idempotency-Key.' : '.'));
        }
        if ($clientAddress !== null && filter_var($clientAddress, FILTER_VALIDATE_IP) === false) {
            return $this->refused('client-address')->withDetail('The client address is not an IP address. Nothing was sent.');
        }
        [$body, $code, $argument] = Json::encode($arguments);
        if ($body === null) {
            return $this->refused($code)->withDetail('The argument ' . $argument . ' was not sent.');
        }
        $reply = $this->send('POST', '/v1/hooks/' . $hook, '', $body, $key, $clientAddress);
        $fits = static function (array $answer) use ($hook, $arguments): bool {
            return Shapes::fits($hook, $answer, $arguments);
        };
        unset($arguments['account'], $arguments['mode']);
        return $this->read($reply, $changes ? $key : null, $fits, array_values(array_filter($arguments, 'is_string')));
    }

    /** Whether the host answers, and lets the key ask what accounts are found by. */
    public function test(): Outcome
    {
        $this->begin();
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
        $meant = self::meant($found->getAnswer()['accounts']);
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
        $byEmail = $this->accountsNamed($email);
        $byName = $byEmail->isDone() ? $this->accountsNamed($loginOrEmail) : $byEmail;
        if (!$byName->isDone()) {
            return $byName;
        }
        $meant = self::meant($byName->getAnswer()['accounts']);
        // The host finds by a fold, in which the Kelvin sign is a k: it says itself what is the address to the letter.
        $own = array_filter($byEmail->getAnswer()['accounts'], static fn (array $found): bool => ($found['is_address'] ?? false) === true);
        $theirs = array_intersect($meant, array_column($own, 'account'));
        if ($theirs !== []) {
            return count($meant) === 1 ? Outcome::done($meant[0]) : $this->refused('ambiguous');
        }
        return $this->refused('not-theirs')->withDetail($meant === [] ? 'No account has this user name.'
            : 'The account with this user name has another email address than the client.');
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

    /**
     * @param array<int, array{account: string, matched: string}> $accounts
     *
     * @return array<int, string> Ids, each once: those that have it as their login, if any do.
     */
    private static function meant(array $accounts): array
    {
        $byLogin = self::matched($accounts, 'login');
        return $byLogin === [] ? self::matched($accounts, 'email') : $byLogin;
    }

    /**
     * @param array<int, array{account: string, matched: string}> $accounts
     *
     * @return array<int, string>
     */
    private static function matched(array $accounts, string $by): array
    {
        $found = array_filter($accounts, static fn (array $account): bool => $account['matched'] === $by);
        return array_values(array_unique(array_column($found, 'account')));
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
        ?string $key,
        ?string $clientAddress = null
    ): Reply {
        $left = $this->deadline === null ? (float) $this->settings->getTotalSeconds() : $this->deadline - hrtime(true) / 1e9;
        if ($left < self::LEAST) {
            return Reply::late();
        }
        $token = $this->settings->getToken();
        $headers = ['Accept' => 'application/json, application/problem+json'];
        $headers['Accept-Language'] = $this->settings->getLanguage();
        if ($body !== null) {
            $headers['Content-Type'] = 'application/json';
        }
        if ($key !== null) {
            $headers['Idempotency-Key'] = $key;
        }
        if ($clientAddress !== null) {
            $headers['Keyturn-Client-Address'] = $clientAddress;
        }
        if ($this->settings->signs()) {
            $nonce = bin2hex(random_bytes(16));
            $headers += Signature::headers($token, $method, $path, $query, $body, $key, time(), $nonce, $clientAddress);
        } else {
            $headers['Authorization'] = 'Bearer ' . $token;
        }
        return $this->transport->send($method, $query === '' ? $path : $path . '?' . $query, $headers, $body, $left);
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
            $code = $reply->isLate ? 'no-answer' : ($reply->untrusted ? 'untrusted' : 'unreachable');
            return $this->refused($code)->withDetail($reply->failure);
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
            // A proxy that says so of what is behind it. It may have lost the answer only, so of a change it says nothing.
            $code = in_array($reply->status, [502, 503, 504], true) ? 'unreachable' : 'bad-answer';
            return $this->open($key, $code)->withDetail($what)->withRequest($request);
        }
        if ($problem->settles || $key === null) {
            // The plugin's own sentence names its setting; who reads this can change the module's.
            $own = $problem->reason === 'mode-not-offered' ? $problem->reason : $problem->code;
            $message = $problem->message !== '' && $own === $problem->code ? $problem->message
                : Sentences::of($own, $this->settings->getLanguage());
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
