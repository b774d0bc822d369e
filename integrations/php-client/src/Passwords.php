<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** The passwords of a panel's accounts by their user names: all that a thin adapter needs. */
final class Passwords
{
    /** What Reset & mail password may mail. The first is what is mailed if nothing is chosen. */
    public const MODES = ['temporary', 'link', 'permanent'];

    private Client $client;
    private Deeds $deeds;

    public function __construct(Client $client, KeptKeys $keys)
    {
        $this->client = $client;
        $this->deeds = new Deeds($client, $keys);
    }

    /** What a setting means: one of `MODES`. @param mixed $set */
    public static function mode($set): string
    {
        return in_array($set, self::MODES, true) ? $set : self::MODES[0];
    }

    /**
     * Clients can call this, too, and may have chosen the user name: so the account must also be theirs by its address.
     *
     * @param string $email The client's in the billing system.
     */
    public function change(
        string $username,
        string $email,
        #[\SensitiveParameter]
        string $new
    ): Outcome {
        if ($new === '') {
            return $this->client->refused('empty');
        }
        $this->client->begin();
        $account = $this->client->accountNamedOf($username, $email);
        return $this->perform($username . ' set', $account, 'password/set-password', ['new' => $new, 'must_change' => false]);
    }

    /**
     * By staff alone, and to the address that the panel has: whatever the user name, it reaches whose account it is.
     *
     * @param string $mode `temporary`, `link` or `permanent`.
     */
    public function resetAndMail(string $username, string $mode): Outcome
    {
        $this->client->begin();
        $account = $this->client->accountNamed($username);
        return $this->perform($username . ' mail ' . $mode, $account, 'password/reset-and-mail', ['mode' => $mode]);
    }

    /** @param array<string, mixed> $arguments */
    private function perform(
        string $deed,
        Outcome $account,
        string $hook,
        #[\SensitiveParameter]
        array $arguments
    ): Outcome {
        // Several hosts may share a folder, and each has a marta of its own.
        $deed = $this->client->getSettings()->getAddress() . ' ' . $deed;
        return $account->isDone() ? $this->deeds->perform($deed, $hook, ['account' => $account->getAnswer()] + $arguments)
            : $this->deeds->untried($deed, $account);
    }
}
