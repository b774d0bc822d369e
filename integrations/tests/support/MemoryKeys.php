<?php

declare(strict_types=1);

use Keyturn\Client\KeptKeys;

/** Idempotency-Keys in memory. */
final class MemoryKeys implements KeptKeys
{
    /** @var array<string, array{key: string, hook: string, at: int}> */
    public array $kept = [];
    public bool $fails = false;

    public function find(string $deed): ?array
    {
        return $this->kept[$deed] ?? null;
    }

    public function keep(string $deed, string $key, string $hook, int $at): void
    {
        if ($this->fails) {
            throw new RuntimeException('The disk is full.');
        }
        $this->kept[$deed] = ['key' => $key, 'hook' => $hook, 'at' => $at];
    }

    public function forget(string $deed): void
    {
        unset($this->kept[$deed]);
    }
}
