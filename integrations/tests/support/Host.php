<?php

declare(strict_types=1);

/**
 * The Keyturn host that tests/flows/hooks/billing.rs has started for this run, with the people that it lists.
 */
final class Host
{
    public static function address(): string
    {
        return self::named('KEYTURN_ADDRESS');
    }

    /** From a file: an argument or a variable can be seen by others on the machine. */
    public static function token(): string
    {
        return trim((string) file_get_contents(self::named('KEYTURN_TOKEN_FILE')));
    }

    private static function named(string $name): string
    {
        $value = getenv($name);
        if (!is_string($value) || $value === '') {
            throw new RuntimeException($name . ' is not set: cargo test --workspace --test hooks -- billing starts a host');
        }
        return $value;
    }
}
