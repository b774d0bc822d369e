<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** What each request is answered with. An answer of another form is not the answer to it, whatever its status says. */
final class Shapes
{
    private const STATES = ['set', 'temporary', 'must_change', 'none'];
    private const MAIL_STATES =
        ['queued', 'sending', 'accepted', 'delayed', 'refused', 'gave-up', 'ended', 'withdrawn'];
    private const VERDICTS = ['accepted', 'must_change', 'temporary_ended', 'suspended', 'rejected'];

    /** The hooks that this client calls => whether they change something. */
    public const HOOKS = [
        'password/set-password' => true,
        'password/reset-and-mail' => true,
        'password/make-link' => true,
        'password/account-status' => false,
        'password/check-password' => false,
        'password/verify' => false,
    ];

    /**
     * @param array<string, mixed> $answer
     * @param array<string, mixed> $arguments What was asked for.
     */
    public static function fits(
        string $hook,
        array $answer,
        #[\SensitiveParameter]
        array $arguments
    ): bool {
        switch ($hook) {
            case 'password/set-password':
                return self::has($answer, 'session_epoch', 'is_string') && $answer['session_epoch'] !== ''
                    && self::mayHave($answer, 'sessions_ended', 'is_int') && self::mayHave($answer, 'notice', 'is_string');
            case 'password/reset-and-mail':
                return self::has($answer, 'mail', 'is_string') && $answer['mail'] !== ''
                    && ($answer['mode'] ?? null) === ($arguments['mode'] ?? $answer['mode'] ?? false)
                    && self::mayHave($answer, 'until', 'is_int') && self::mayHave($answer, 'sessions_ended', 'is_int');
            case 'password/make-link':
                return self::has($answer, 'link', 'is_string') && self::has($answer, 'until', 'is_int')
                    && preg_match('~^https?://[^\s<>"\']+\z~', $answer['link']) === 1;
            case 'password/account-status':
                return in_array($answer['state'] ?? null, self::STATES, true) && self::mayHave($answer, 'until', 'is_int')
                    && self::mayHave($answer, 'changed', 'is_int') && self::mayHave($answer, 'last_mail', 'is_string');
            case 'password/check-password':
                return self::has($answer, 'score', 'is_int') && self::has($answer, 'acceptable', 'is_bool');
            case 'password/verify':
                return in_array($answer['kind'] ?? null, self::VERDICTS, true)
                    && ($answer['kind'] !== 'accepted' || self::isSignedIn($answer['value'] ?? null));
            default:
                return false;
        }
    }

    /** @param array<string, mixed> $answer */
    public static function isAccounts(array $answer): bool
    {
        $accounts = $answer['accounts'] ?? null;
        if (!is_array($accounts) || count($accounts) > 500 || array_values($accounts) !== $accounts) {
            return false;
        }
        foreach ($accounts as $found) {
            if (!is_array($found) || !self::has($found, 'account', 'is_string') || !self::isAccount($found['account'])
                || !in_array($found['matched'] ?? null, ['login', 'email'], true) || !self::mayHave($found, 'is_address', 'is_bool')) {
                return false;
            }
        }
        return true;
    }

    /** A realm, a colon, and what the panel has for an id: `customer:42`. */
    public static function isAccount(string $text): bool
    {
        return strlen($text) <= 64 && preg_match('/^[a-z][a-z0-9-]*:[!-~]+\z/', $text) === 1;
    }

    /** @param array<string, mixed> $answer */
    public static function isEpoch(array $answer): bool
    {
        return self::has($answer, 'epoch', 'is_string') && $answer['epoch'] !== '';
    }

    /** @param array<string, mixed> $answer */
    public static function isMail(array $answer, string $mail): bool
    {
        return ($answer['mail'] ?? null) === $mail && in_array($answer['state'] ?? null, self::MAIL_STATES, true)
            && self::has($answer, 'account', 'is_string') && self::has($answer, 'attempts', 'is_int')
            && self::has($answer, 'changed_at', 'is_int') && self::has($answer, 'sentence', 'is_string')
            && self::mayHave($answer, 'to', 'is_string') && self::mayHave($answer, 'answer', 'is_string')
            && self::mayHave($answer, 'server', 'is_string') && self::mayHave($answer, 'next_attempt', 'is_int');
    }

    /** @param array<string, mixed> $answer */
    public static function isOperation(array $answer): bool
    {
        $state = $answer['state'] ?? null;
        return $state === 'under_way' || $state === 'not_done'
            || ($state === 'done' && self::has($answer, 'hook', 'is_string') && array_key_exists('answer', $answer));
    }

    /** @param mixed $value */
    private static function isSignedIn($value): bool
    {
        return is_array($value) && self::has($value, 'account', 'is_string') && self::isAccount($value['account'])
            && self::has($value, 'session_epoch', 'is_string') && self::has($value, 'device', 'is_string');
    }

    /** @param array<string, mixed> $answer */
    private static function has(array $answer, string $name, callable $is): bool
    {
        return array_key_exists($name, $answer) && $is($answer[$name]);
    }

    /** @param array<string, mixed> $answer */
    private static function mayHave(array $answer, string $name, callable $is): bool
    {
        return !isset($answer[$name]) || $is($answer[$name]);
    }
}
