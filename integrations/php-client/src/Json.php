<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** JSON as the host writes it and as it is sent to it. */
final class Json
{
    /**
     * @return ?array<string, mixed> Null: the answer is not of this type, not whole, or not an object.
     */
    public static function object(Reply $reply, string $type): ?array
    {
        $parts = array_map('trim', explode(';', strtolower($reply->header('content-type'))));
        $isOfType = array_shift($parts) === $type && array_diff($parts, ['charset=utf-8', 'charset="utf-8"']) === [];
        if (!$isOfType || !in_array($reply->header('content-encoding'), ['', 'identity'], true)) {
            return null;
        }
        if (strncmp(ltrim($reply->body, " \t\r\n"), '{', 1) !== 0) {
            return null;
        }
        $object = json_decode($reply->body, true, 32, JSON_BIGINT_AS_STRING);
        return is_array($object) ? $object : null;
    }

    /**
     * As bytes, each text as it is. Refused by name: what is no UTF-8, which JSON cannot hold, and NUL, which many a panel's
     * own code would take for the end of a password.
     *
     * @param array<string, mixed> $arguments
     *
     * @return array{0: ?string, 1: string, 2: string} The body, or null with a code and the name of the argument.
     */
    public static function encode(
        #[\SensitiveParameter]
        array $arguments
    ): array {
        foreach ($arguments as $name => $value) {
            if (is_string($value) && preg_match('//u', $value) !== 1) {
                return [null, 'not-utf-8', (string) $name];
            }
            if (is_string($value) && strpos($value, "\0") !== false) {
                return [null, 'nul', (string) $name];
            }
        }
        $body = json_encode((object) $arguments, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
        return is_string($body) ? [$body, '', ''] : [null, 'not-utf-8', ''];
    }
}
