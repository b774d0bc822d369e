<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * Does what changes something once, however often it is tried. The Idempotency-Key is kept before the first attempt leaves,
 * and as long as nobody knows what became of it; a retry sends it again, and the host then answers as it did the first time.
 */
final class Deeds
{
    /** Seconds within which another attempt is taken for a retry. Later, the host is asked first. */
    public const RETRY = 900;
    /** Seconds after which a request that the host says nothing of will not come any more: its signature has run out. */
    public const FINAL = 150;
    /** Seconds for which the host keeps its answers. */
    public const KEPT = 86400;

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
        if ($kept === null) {
            return $this->attempt($deed, $hook, $arguments, Client::newKey(), true);
        }
        $outcome = $this->attempt($deed, $hook, $arguments, $kept['key'], false);
        if ($outcome->getCode() !== 'key-reused') {
            return $outcome;
        }
        // The earlier attempt was done, and with something else: with another password, say. This is a deed of its own.
        return $this->attempt($deed, $hook, $arguments, Client::newKey(), true);
    }

    /**
     * What became of an attempt that was left open; null: none is. Done and not done settle it, and its key is forgotten.
     */
    public function settle(string $deed): ?Outcome
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
                    ->withDetail('The host tells of another operation under this key.');
            }
            $this->keys->forget($deed);
            return Outcome::done($answer)->withRequest($asked->getRequest());
        }
        if ($state === 'under_way') {
            return $this->client->indeterminate('under-way', $kept['key']);
        }
        if ($state === 'not_done' && $this->age($kept) > self::FINAL) {
            $this->keys->forget($deed);
            return $this->client->refused('not-done');
        }
        return $this->client->indeterminate('indeterminate', $kept['key'])->withRequest($asked->getRequest())
            ->withDetail($state === 'not_done' ? 'Not done so far.' : $asked->getCode() . ': ' . $asked->getDetail());
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

    /** @param bool $isFirst Whether no attempt with this key went before. */
    private function attempt(
        string $deed,
        string $hook,
        #[\SensitiveParameter]
        array $arguments,
        string $key,
        bool $isFirst
    ): Outcome {
        if ($isFirst) {
            try {
                $this->keys->keep($deed, $key, $hook, ($this->clock)());
            } catch (\RuntimeException $cause) {
                return $this->client->refused('not-kept')->withDetail($cause->getMessage());
            }
        }
        $outcome = $this->client->call($hook, $arguments, $key);
        // That a retry was refused says nothing of the attempt before it.
        if ($outcome->isDone() || ($outcome->isRefused() && $isFirst)) {
            $this->keys->forget($deed);
        }
        return $outcome;
    }

    /** @param array{key: string, hook: string, at: int} $kept */
    private function age(array $kept): int
    {
        return ($this->clock)() - $kept['at'];
    }
}
