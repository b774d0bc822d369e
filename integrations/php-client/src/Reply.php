<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** What came back over the wire, or why nothing did. */
final class Reply
{
    /** 0: no whole answer came. */
    public int $status = 0;
    /** @var array<string, string> By name in lower case; of a name that stands twice, the last. */
    public array $headers = [];
    public string $body = '';
    /** Whether the request may have left this machine. */
    public bool $sent = true;
    /** Why there is no answer, for an operator. */
    public string $failure = '';
    /** Whether the other side could not prove who it is. */
    public bool $untrusted = false;

    /** Whether it was not sent because there was no time left for it. */
    public bool $isLate = false;

    public static function late(): self
    {
        $reply = new self();
        $reply->sent = false;
        $reply->isLate = true;
        $reply->failure = 'The time for all requests together is over.';
        return $reply;
    }

    public function header(string $name): string
    {
        return $this->headers[$name] ?? '';
    }
}
