<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * Does what changes something once, however often it is tried. The Idempotency-Key is kept before the first attempt leaves,
 * and as long as nobody knows what became of it; a retry sends it again, and the host then answers as it did the first time. So
 * that answer is old: it is given only if what it tells of still holds.
 */
final class Deeds
{
    /** Seconds within which another attempt is taken for a retry. Later, the host is asked first. */
    public const RETRY = 900;
    /** Seconds after which a request that the host says nothing of will not come any more: its signature has run out. */
    public const FINAL = 150;
    /** Seconds for which the host keeps its answers. */
    public const KEPT = 86400;

    /** Hooks whose answer says by which session epoch it can be told later whether it still holds. */
    private const COMPARED = ['password/set-password'];
    /** Refusals that come after the host has looked for the key, and not found it: the attempt before was not done. */
    private const LOOKED_FOR = ['invalid', 'refused', 'not-found', 'forbidden', 'unsupported', 'error'];

    /** What is said of who is meant, whatever went before. */
    private const OF_WHOM = ['no-name', 'no-account', 'ambiguous', 'not-theirs'];

    private Client $client;
    private KeptKeys $keys;
    /** @var callable(): int */
    private $clock;

    public function __construct(Client $client, KeptKeys $keys, ?callable $clock = null)
    {
        $this->client = $client;
        $this->keys = $keys;
        $this->clock = $clock ?? 'time';
    }

    /**
     * @param string $deed What it is to the caller, the same for each attempt: `service 42: set password`.
     * @param array<string, mixed> $arguments
     */
    public function perform(
        string $deed,
        string $hook,
        #[\SensitiveParameter]
        array $arguments
    ): Outcome {
        $kept = $this->keys->find($deed);
        if ($kept !== null && ($kept['hook'] !== $hook || $this->age($kept) > self::RETRY)) {
            $settled = $this->settle($deed);
            if ($settled !== null && $settled->isIndeterminate()) {
                return $settled;
            }
            $kept = null;
        }
        if ($kept !== null && !in_array($hook, self::COMPARED, true)) {
            $settled = $this->settle($deed);
            if ($settled !== null && $settled->isDone()) {
                return $this->client->refused('done-before')->withRequest($settled->getRequest());
            }
            if ($settled !== null && $settled->isIndeterminate() && $settled->getCode() !== 'not-so-far') {
                return $settled;
            }
            $kept = $this->keys->find($deed);
        }
        if ($kept === null) {
            return $this->attempt($deed, $hook, $arguments, Client::newKey());
        }
        $outcome = $this->client->call($hook, $arguments, $kept['key']);
        if ($outcome->isDone() && in_array($hook, self::COMPARED, true)) {
            $holds = $this->holding($outcome, (string) $arguments['account'], $kept['key']);
            if ($holds->getCode() !== 'changed-since') {
                return $this->settled($deed, $holds);
            }
        } elseif ($outcome->getCode() !== 'key-reused') {
            if ($outcome->isRefused() && !in_array($outcome->getCode(), self::LOOKED_FOR, true)) {
                // That a retry was not let in says nothing of the attempt before it.
                return $this->client->indeterminate('indeterminate', $kept['key'])->withDetail($outcome->getCode() . ': ' . $outcome->getDetail());
            }
            return $outcome->isDone() ? $this->settled($deed, $outcome) : $outcome;
        }
        // The earlier attempt was done: with something else, with another password, say; or with what holds no more. This is a deed of
        // its own.
        return $this->attempt($deed, $hook, $arguments, Client::newKey());
    }

    /**
     * What is to be said of a deed that could not even be tried, because whose account it is could not be asked: an attempt before it
     * may have been done all the same.
     */
    public function untried(string $deed, Outcome $why): Outcome
    {
        $kept = $this->keys->find($deed);
        return $kept === null || in_array($why->getCode(), self::OF_WHOM, true) ? $why
            : $this->client->indeterminate('indeterminate', $kept['key'])->withDetail($why->getCode() . ': ' . $why->getDetail());
    }

    /**
     * What became of an attempt that was left open; null: none is. Done and not done settle it, and its key is forgotten.
     *
     * @param ?string $account Whose password it was: then it is done only if that is still the one there is, and else
     *     `changed-since`. Null: that it was done is all that is asked.
     */
    public function settle(string $deed, ?string $account = null): ?Outcome
    {
        $kept = $this->keys->find($deed);
        if ($kept === null) {
            return null;
        }
        if ($this->age($kept) > self::KEPT) {
            $this->keys->forget($deed);
            return $this->client->refused('too-long-ago');
        }
        $asked = $this->client->operation($kept['key']);
        $state = $asked->isDone() ? $asked->getAnswer()['state'] : '';
        if ($state === 'done') {
            $answer = $asked->getAnswer()['answer'];
            if ($asked->getAnswer()['hook'] !== $kept['hook'] || !is_array($answer)
                || !Shapes::fits($kept['hook'], $answer, [])) {
                return $this->client->indeterminate('indeterminate', $kept['key'])
                    ->withDetail('The host has another operation under this key.');
            }
            $done = Outcome::done($answer)->withRequest($asked->getRequest());
            $isCompared = $account !== null && in_array($kept['hook'], self::COMPARED, true);
            return $this->settled($deed, $isCompared ? $this->holding($done, $account, $kept['key']) : $done);
        }
        if ($state === 'under_way') {
            return $this->client->indeterminate('under-way', $kept['key']);
        }
        if ($state === 'not_done' && $this->age($kept) > self::FINAL) {
            $this->keys->forget($deed);
            return $this->client->refused('not-done');
        }
        return $this->client->indeterminate($state === 'not_done' ? 'not-so-far' : 'indeterminate', $kept['key'])
            ->withRequest($asked->getRequest())->withDetail($state === 'not_done' ? 'Not done so far.' : $asked->getCode() . ': ' . $asked->getDetail());
    }

    /** Unix seconds since when it is not known what became of a deed; null: none is open. */
    public function openSince(string $deed): ?int
    {
        return $this->keys->find($deed)['at'] ?? null;
    }

    /**
     * An entry as it was kept, if it is one.
     *
     * @param mixed $kept
     *
     * @return ?array{key: string, hook: string, at: int}
     */
    public static function entry($kept): ?array
    {
        $isOne = is_array($kept) && is_string($kept['key'] ?? null) && preg_match('/^[!-~]{1,255}\z/', $kept['key']) === 1
            && is_string($kept['hook'] ?? null) && is_int($kept['at'] ?? null);
        return $isOne ? ['key' => $kept['key'], 'hook' => $kept['hook'], 'at' => $kept['at']] : null;
    }

    /** The first attempt with a key. */
    private function attempt(
        string $deed,
        string $hook,
        #[\SensitiveParameter]
        array $arguments,
        string $key
    ): Outcome {
        try {
            $this->keys->keep($deed, $key, $hook, ($this->clock)());
        } catch (\RuntimeException $cause) {
            return $this->client->refused('not-kept')->withDetail($cause->getMessage());
        }
        return $this->settled($deed, $this->client->call($hook, $arguments, $key));
    }

    /** What is known is not kept. */
    private function settled(string $deed, Outcome $outcome): Outcome
    {
        if (!$outcome->isIndeterminate()) {
            $this->keys->forget($deed);
        }
        return $outcome;
    }

    /**
     * The same, if the password that it tells of is still the one there is: another one is another session epoch.
     *
     * @param Outcome $done Of a hook among `COMPARED`.
     */
    private function holding(Outcome $done, string $account, string $key): Outcome
    {
        $now = $this->client->epoch($account);
        if (!$now->isDone()) {
            return $this->client->indeterminate('indeterminate', $key)
                ->withDetail('It was done; the session epoch: ' . $now->getCode() . ': ' . $now->getDetail());
        }
        return $now->getAnswer()['epoch'] === $done->getAnswer()['session_epoch'] ? $done : $this->client->refused('changed-since');
    }

    /** @param array{key: string, hook: string, at: int} $kept */
    private function age(array $kept): int
    {
        return ($this->clock)() - $kept['at'];
    }
}
