<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** A problem document (RFC 9457) of the host, as docs/hooks.md lists them. */
final class Problem
{
    /** Code => status. What is not listed with `UNSETTLED` says that nothing was changed. */
    private const CODES = [
        'json' => 400, 'arguments' => 400, 'idempotency-key' => 400, 'client-address' => 400,
        'no-key' => 401, 'bad-key' => 401, 'bad-signature' => 401,
        'address' => 403, 'not-allowed' => 403, 'step-up' => 403, 'forbidden' => 403,
        'no-such-hook' => 404, 'no-such-address' => 404, 'not-found' => 404,
        'method' => 405, 'body-late' => 408, 'conflict' => 409, 'expired' => 410,
        'too-large' => 413, 'media-type' => 415,
        'invalid' => 422, 'refused' => 422, 'error' => 422, 'key-reused' => 422,
        'rate' => 429, 'throttled' => 429,
        'plugin' => 500, 'limit' => 500, 'storage' => 500, 'internal' => 500,
        'unsupported' => 501, 'busy' => 503, 'unavailable' => 503,
        'deadline' => 504, 'indeterminate' => 504,
    ];
    /** What cannot know whether it was done. */
    private const UNSETTLED = ['internal', 'indeterminate'];

    public string $code;
    /** Whether it says that nothing was changed. */
    public bool $settles;
    /** For people, in the language that was asked for; empty: nothing was said. */
    public string $message = '';
    /** For an operator. */
    public string $detail = '';
    /** The plugin's own code of a refusal: `mail-not-configured`. */
    public string $reason = '';

    private function __construct(string $code, bool $settles)
    {
        $this->code = $code;
        $this->settles = $settles;
    }

    /**
     * Reads one, if it is one: of its type, of this status, and with a code that goes with it.
     *
     * @param array<int, string> $sent What was sent and should not come back: a host that repeats it does not get it into a log.
     */
    public static function read(
        Reply $reply,
        #[\SensitiveParameter]
        array $sent
    ): ?self {
        $document = Json::object($reply, 'application/problem+json');
        $code = $document['code'] ?? null;
        if (!is_string($code) || preg_match('/^[a-z][a-z0-9-]{0,39}\z/', $code) !== 1) {
            return null;
        }
        if (($document['status'] ?? null) !== $reply->status || (self::CODES[$code] ?? $reply->status) !== $reply->status) {
            return null;
        }
        // A newer host may have more codes: its 4xx mean that it did not do it, its 5xx leave it open.
        $isKnown = isset(self::CODES[$code]);
        $settles = $isKnown ? !in_array($code, self::UNSETTLED, true) : $reply->status >= 400 && $reply->status < 500;
        $problem = new self($code, $settles);
        $problem->detail = self::without($sent, 4, $document['detail'] ?? '');
        $problem->reason = Sentences::plain($document['reason'] ?? '', 40);
        // A shorter password may be a word of the sentence, "password" itself for one.
        if ($code === 'refused') {
            $problem->message = self::without($sent, 12, $document['detail'] ?? '');
        } elseif ($code === 'invalid' && is_array($document['errors'] ?? null)) {
            $messages = [];
            foreach (array_slice($document['errors'], 0, 10) as $error) {
                $messages[] = self::without($sent, 12, is_array($error) ? $error['message'] ?? '' : '');
            }
            $problem->message = implode(' ', array_filter($messages, static fn (string $text): bool => $text !== ''));
        }
        return $problem;
    }

    /**
     * A text as one plain line, without what was sent of so many bytes or more. In this order: a line that is cut may hold part
     * of a secret.
     *
     * @param array<int, string> $sent
     * @param mixed $text
     */
    private static function without(
        #[\SensitiveParameter]
        array $sent,
        int $bytes,
        $text
    ): string {
        $secrets = array_filter($sent, static fn (string $value): bool => strlen($value) >= $bytes);
        return is_string($text) ? Sentences::plain(Mask::of([$text], array_values($secrets))[0]) : '';
    }
}
