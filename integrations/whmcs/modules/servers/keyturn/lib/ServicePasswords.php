<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

use Keyturn\Client\Client;
use Keyturn\Client\Deeds;
use Keyturn\Client\KeptKeys;
use Keyturn\Client\Outcome;
use Keyturn\Client\Sentences;
use Keyturn\Client\Shapes;

/** What there is to do with the password of one service, each of it noted in the module log. */
final class ServicePasswords
{
    /** Seconds for what is only shown beside something else. */
    private const SHOWN_WITHIN = 4;

    private Client $client;
    private Deeds $deeds;
    private Words $words;
    private string $module;
    private int $service;
    private string $username;
    private string $email;
    private string $account;
    /** @var array<int, string> */
    private array $secrets;

    /**
     * @param string $module Under which name the log speaks of it.
     * @param string $email The client's in the billing system.
     * @param string $account The account's id, where a custom field holds it; empty: it is looked up by the user name.
     * @param array<int, string> $secrets Which must not stand in a log.
     */
    public function __construct(
        Client $client,
        KeptKeys $keys,
        string $module,
        int $service,
        string $username,
        string $email,
        string $account,
        #[\SensitiveParameter]
        array $secrets
    ) {
        $this->client = $client;
        $this->deeds = new Deeds($client, $keys);
        $this->words = new Words($client->getSettings()->getLanguage());
        $this->module = $module;
        $this->service = $service;
        $this->username = $username;
        $this->email = $email;
        $this->account = $account;
        $this->secrets = array_merge($secrets, [$client->getSettings()->getToken()]);
    }

    /** Clients can call this, too, so the account must be theirs by more than a user name. */
    public function change(
        #[\SensitiveParameter]
        string $new
    ): Outcome {
        if ($new === '') {
            return $this->noted('change', [], $this->client->refused('empty'));
        }
        $this->client->begin();
        return $this->perform($this->ownAccount(), 'set', 'password/set-password', ['new' => $new, 'must_change' => false], [$new]);
    }

    /**
     * By staff alone, and to the address that the panel has: whatever the user name, it reaches whose account it is.
     *
     * @param string $mode `temporary`, `link` or `permanent`.
     */
    public function resetAndMail(string $mode): Outcome
    {
        $deed = $mode === 'link' ? 'link' : 'mail';
        $this->client->begin();
        return $this->perform($this->account(), $deed, 'password/reset-and-mail', ['mode' => $mode], []);
    }

    /** @return array<string, Outcome> What became of what was left open, by deed. */
    public function settle(): array
    {
        $settled = [];
        $this->client->begin();
        foreach (['set', 'mail', 'link'] as $deed) {
            $outcome = $deed === 'set' ? $this->settleSet() : $this->deeds->settle($this->deed($deed));
            if ($outcome !== null) {
                $settled[$deed] = $this->noted('settle ' . $deed, [], $outcome);
            }
        }
        return $settled;
    }

    /**
     * How the password stands and what became of its last mail, as plain text by label, for staff. A host that does not answer
     * leaves a sentence, and the page stands.
     *
     * @return array<string, string>
     */
    public function lines(): array
    {
        $brief = $this->brief();
        return $brief->linesOf($brief->account(), true);
    }

    /** The same, for the client. @return array<string, string> */
    public function linesForClient(): array
    {
        $brief = $this->brief();
        return $brief->linesOf($brief->ownAccount(), false);
    }

    public function words(): Words
    {
        return $this->words;
    }

    /** That a password was set is told only if it is still the one there is. */
    private function settleSet(): ?Outcome
    {
        $deed = $this->deed('set');
        if ($this->deeds->openSince($deed) === null) {
            return null;
        }
        $account = $this->account();
        return $account->isDone() ? $this->deeds->settle($deed, $account->getAnswer())
            : $this->client->indeterminate('indeterminate', '')->withDetail($account->getCode() . ': ' . $account->getDetail());
    }

    /** The id of the account, or why there is none. */
    private function account(): Outcome
    {
        return $this->account !== '' ? $this->accountInField() : $this->client->accountNamed($this->username);
    }

    /** The same, if it is known to be the client's: by the field that only staff fill in, or by the client's address. */
    private function ownAccount(): Outcome
    {
        return $this->account !== '' ? $this->accountInField() : $this->client->accountNamedOf($this->username, $this->email);
    }

    private function accountInField(): Outcome
    {
        return Shapes::isAccount($this->account) ? Outcome::done($this->account)
            : $this->client->refused('no-account')->withDetail('The custom field does not hold an id like customer:42.');
    }

    /** The same, for what is only shown beside something else. */
    private function brief(): self
    {
        $brief = clone $this;
        $brief->client = new Client($this->client->getSettings()->within(self::SHOWN_WITHIN));
        $brief->client->begin();
        return $brief;
    }

    /** @return array<string, string> */
    private function linesOf(Outcome $account, bool $toStaff): array
    {
        if (!$account->isDone()) {
            return [$this->words->of('password') => $this->words->of('not-now', ['reason' => $account->getSentence()])]
                + $this->openLines();
        }
        $status = $this->client->call('password/account-status', ['account' => $account->getAnswer()]);
        if (!$status->isDone()) {
            return [$this->words->of('password') => $this->words->of('not-now', ['reason' => $status->getSentence()])]
                + $this->openLines();
        }
        $status = $status->getAnswer();
        $state = $this->words->of('state-' . $status['state'], ['time' => Words::time((int) ($status['until'] ?? 0))]);
        if (isset($status['changed'])) {
            $state .= ' ' . $this->words->of('changed', ['time' => Words::time($status['changed'])]);
        }
        $mail = isset($status['last_mail']) ? $this->mailLine($status['last_mail'], $toStaff) : $this->words->of('no-mail');
        return [$this->words->of('password') => $state, $this->words->of('mail') => $mail] + $this->openLines();
    }

    /** What became of a mail, in the host's own sentence; to staff also what a server said that did not take it. */
    private function mailLine(string $mail, bool $toStaff): string
    {
        $told = $this->client->mail($mail);
        if (!$told->isDone()) {
            return $this->words->of('not-now', ['reason' => $told->getSentence()]);
        }
        $told = $told->getAnswer();
        $line = Sentences::plain($told['sentence']);
        if (isset($told['to'])) {
            $line .= ' ' . $this->words->of('to', ['address' => Sentences::plain($told['to'])]);
        }
        if ($toStaff && isset($told['answer']) && $told['state'] !== 'accepted') {
            $line .= ' ' . $this->words->of('answered', ['answer' => Sentences::plain($told['answer'])]);
        }
        return $line;
    }

    /** @return array<string, string> */
    private function openLines(): array
    {
        $lines = [];
        foreach (['set', 'mail', 'link'] as $deed) {
            $since = $this->deeds->openSince($this->deed($deed));
            if ($since !== null) {
                $told = ['time' => Words::time($since * 1000), 'deed' => $this->words->of('deed-' . $deed)];
                $lines[] = $this->words->of('open-since', $told);
            }
        }
        return $lines === [] ? [] : [$this->words->of('open') => implode(' ', $lines)];
    }

    /**
     * @param array<string, mixed> $arguments
     * @param array<int, string> $secrets
     */
    private function perform(
        Outcome $account,
        string $deed,
        string $hook,
        #[\SensitiveParameter]
        array $arguments,
        #[\SensitiveParameter]
        array $secrets
    ): Outcome {
        if (!$account->isDone()) {
            return $this->noted($hook, $arguments, $this->deeds->untried($this->deed($deed), $account), $secrets);
        }
        $arguments = ['account' => $account->getAnswer()] + $arguments;
        return $this->noted($hook, $arguments, $this->deeds->perform($this->deed($deed), $hook, $arguments), $secrets);
    }

    private function deed(string $deed): string
    {
        return 'service ' . $this->service . ' ' . $deed;
    }

    /**
     * @param array<string, mixed> $request
     * @param array<int, string> $secrets
     */
    private function noted(
        string $action,
        #[\SensitiveParameter]
        array $request,
        Outcome $outcome,
        #[\SensitiveParameter]
        array $secrets = []
    ): Outcome {
        $request = ['service' => $this->service, 'username' => $this->username] + $request;
        Log::note($this->module, $action, $request, $outcome, array_merge($this->secrets, $secrets));
        return $outcome;
    }
}
