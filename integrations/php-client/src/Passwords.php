<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** The passwords of a panel's accounts by their user names: all that a thin adapter needs. */
final class Passwords
{
    private Client $client;
    private Deeds $deeds;

    public function __construct(Client $client, KeptKeys $keys)
    {
        $this->client = $client;
        $this->deeds = new Deeds($client, $keys);
    }

    public function change(
        string $username,
        #[\SensitiveParameter]
        string $new
    ): Outcome {
        if ($new === '') {
            return $this->client->refused('empty');
        }
        return $this->perform('set', $username, 'password/set-password', ['new' => $new, 'must_change' => false]);
    }

    /** @param string $mode `temporary`, `link` or `permanent`. */
    public function resetAndMail(string $username, string $mode): Outcome
    {
        return $this->perform('mail ' . $mode, $username, 'password/reset-and-mail', ['mode' => $mode]);
    }

    /** The id of an account. */
    public function account(string $username): Outcome
    {
        return $this->client->accountNamed($username);
    }

    /** @param array<string, mixed> $arguments */
    private function perform(
        string $deed,
        string $username,
        string $hook,
        #[\SensitiveParameter]
        array $arguments
    ): Outcome {
        $account = $this->client->accountNamed($username);
        if (!$account->isDone()) {
            return $account;
        }
        $account = $account->getAnswer();
        return $this->deeds->perform($account . ' ' . $deed, $hook, ['account' => $account] + $arguments);
    }
}
