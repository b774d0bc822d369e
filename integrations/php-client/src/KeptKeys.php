<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * Where Idempotency-Keys are kept until it is settled what became of their deeds: by the billing system, beside the service.
 * A key is no secret: it opens nothing without the token.
 */
interface KeptKeys
{
    /** @return ?array{key: string, hook: string, at: int} `at`: Unix seconds of the first attempt. */
    public function find(string $deed): ?array;

    /** @throws \RuntimeException If it cannot be kept: then nothing is sent. */
    public function keep(string $deed, string $key, string $hook, int $at): void;

    public function forget(string $deed): void;
}
