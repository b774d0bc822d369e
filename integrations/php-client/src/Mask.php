<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * Takes secrets out of what is to be logged: by key, at any depth, before anything makes a text of it; and then wherever the
 * same value stands in another text, as it is or encoded. The mask has one width, so that it tells no length.
 */
final class Mask
{
    public const MASK = '********';

    /** Parts of keys, in lower case without `_`, `-` and spaces, that hold secrets. */
    private const SECRET = [
        'pass', 'pwd', 'secret', 'token', 'accesshash', 'apikey', 'authorization', 'signature', 'cookie', 'privatekey',
        'sessionepoch', 'credential', 'securityqans',
    ];
    /** Whole keys, for the names of arguments that are too short to look for inside of others. */
    private const SECRET_WHOLE = ['new', 'current', 'link', 'hash', 'key', 'ccnumber', 'cvv', 'pin', 'epoch'];

    /**
     * @param array<mixed> $data
     * @param array<int, string> $secrets More values that must not stand anywhere, whatever their key is.
     *
     * @return array<mixed>
     */
    public static function of(
        #[\SensitiveParameter]
        array $data,
        #[\SensitiveParameter]
        array $secrets = []
    ): array {
        self::collect($data, false, $secrets);
        return self::masked($data, self::forms($secrets));
    }

    public static function isSecret(string $key): bool
    {
        $key = str_replace(['_', '-', ' '], '', strtolower($key));
        if (in_array($key, self::SECRET_WHOLE, true)) {
            return true;
        }
        foreach (self::SECRET as $part) {
            if (strpos($key, $part) !== false) {
                return true;
            }
        }
        return false;
    }

    /**
     * @param mixed $data
     * @param array<int, string> $secrets
     */
    private static function collect($data, bool $isSecret, array &$secrets): void
    {
        if (is_array($data)) {
            foreach ($data as $key => $value) {
                self::collect($value, $isSecret || (is_string($key) && self::isSecret($key)), $secrets);
            }
        } elseif ($isSecret && is_scalar($data) && (string) $data !== '') {
            $secrets[] = (string) $data;
        }
    }

    /**
     * @param array<mixed> $data
     * @param array<int, string> $forms
     *
     * @return array<mixed>
     */
    private static function masked(array $data, array $forms): array
    {
        $masked = [];
        foreach ($data as $key => $value) {
            $key = is_string($key) ? self::text($key, $forms) : $key;
            if (is_string($key) && self::isSecret($key)) {
                $masked[$key] = self::MASK;
            } elseif (is_array($value)) {
                $masked[$key] = self::masked($value, $forms);
            } elseif (is_bool($value) || $value === null) {
                $masked[$key] = $value;
            } elseif (is_scalar($value)) {
                $masked[$key] = self::text((string) $value, $forms);
            } else {
                // What an object would tell of itself is not known.
                $masked[$key] = '(' . gettype($value) . ')';
            }
        }
        return $masked;
    }

    /** @param array<int, string> $forms Longest first. */
    private static function text(string $text, array $forms): string
    {
        foreach ($forms as $form) {
            if (stripos($text, $form) === false) {
                continue;
            }
            // To cut one or two characters out wherever they stand would tell them.
            if (strlen($form) < 4) {
                return self::MASK;
            }
            $text = str_ireplace($form, self::MASK, $text);
        }
        return $text;
    }

    /**
     * Every value as it is, and as other texts hold it.
     *
     * @param array<int, string> $secrets
     *
     * @return array<int, string>
     */
    private static function forms(array $secrets): array
    {
        $forms = [];
        foreach ($secrets as $secret) {
            $texts = [$secret, html_entity_decode($secret, ENT_QUOTES | ENT_HTML5, 'UTF-8')];
            foreach ($texts as $text) {
                array_push($forms, $text, urlencode($text), rawurlencode($text), bin2hex($text), addslashes($text));
                foreach ([ENT_QUOTES, ENT_COMPAT, ENT_NOQUOTES, ENT_QUOTES | ENT_HTML5] as $flags) {
                    $html = htmlspecialchars($text, $flags | ENT_SUBSTITUTE, 'UTF-8');
                    array_push($forms, $html, urlencode($html), rawurlencode($html));
                    $forms[] = htmlentities($text, $flags | ENT_SUBSTITUTE, 'UTF-8');
                }
                foreach ([0, JSON_UNESCAPED_UNICODE, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE] as $flags) {
                    $json = json_encode($text, $flags);
                    $forms[] = is_string($json) ? substr($json, 1, -1) : $text;
                }
                array_push($forms, ...self::base64($text));
            }
        }
        $forms = array_unique(array_filter($forms, static fn (string $form): bool => $form !== ''));
        usort($forms, static fn (string $one, string $other): int => strlen($other) <=> strlen($one));
        return $forms;
    }

    /**
     * By itself, and within something longer: what of it does not depend on what stands around it, for each of the three places
     * where it can begin.
     *
     * @return array<int, string>
     */
    private static function base64(string $text): array
    {
        $forms = [base64_encode($text), rtrim(base64_encode($text), '=')];
        foreach ([0, 1, 2] as $before) {
            $length = $before + strlen($text);
            $whole = intdiv($length * 8, 6);
            $first = intdiv($before * 8 + 5, 6);
            if ($whole - $first >= 4) {
                $forms[] = substr(base64_encode(str_repeat("\0", $before) . $text), $first, $whole - $first);
            }
        }
        foreach ($forms as $form) {
            $forms[] = strtr($form, '+/', '-_');
        }
        return $forms;
    }
}
