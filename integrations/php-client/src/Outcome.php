<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * What became of a request. One of three:
 *  - done: the host confirmed it, and its answer is of the form that this request is answered in;
 *  - refused: it was not done, because the host said no, or because nothing was sent;
 *  - indeterminate: it may have been done. `key` settles it (`Deeds`).
 */
final class Outcome
{
    private const DONE = 'done';
    private const REFUSED = 'refused';
    private const INDETERMINATE = 'indeterminate';

    private string $kind;
    private string $code;
    private string $sentence;
    private string $detail = '';
    private string $key = '';
    private string $request = '';
    private int $retryAfter = 0;
    /** @var mixed */
    private $answer;

    private function __construct(string $kind, string $code, string $sentence)
    {
        $this->kind = $kind;
        $this->code = $code;
        $this->sentence = $sentence;
    }

    /** @param mixed $answer As the host gave it, its objects as arrays. */
    public static function done($answer): self
    {
        $outcome = new self(self::DONE, self::DONE, '');
        $outcome->answer = $answer;
        return $outcome;
    }

    /** @param string $sentence For people: plain text, nothing of the inside. */
    public static function refused(string $code, string $sentence): self
    {
        return new self(self::REFUSED, $code, $sentence);
    }

    public static function indeterminate(string $code, string $sentence, string $key): self
    {
        $outcome = new self(self::INDETERMINATE, $code, $sentence);
        $outcome->key = $key;
        return $outcome;
    }

    /** For an operator: what a log should say beside the code. Holds nothing that was sent. */
    public function withDetail(string $detail): self
    {
        $same = clone $this;
        $same->detail = $detail;
        return $same;
    }

    /** @param string $request The id under which the host's log and audit speak of it. */
    public function withRequest(string $request): self
    {
        $same = clone $this;
        $same->request = $request;
        return $same;
    }

    /** @param int $seconds To wait before it is tried again; 0: nothing was said. */
    public function withRetryAfter(int $seconds): self
    {
        $same = clone $this;
        $same->retryAfter = $seconds;
        return $same;
    }

    public function isDone(): bool
    {
        return $this->kind === self::DONE;
    }

    public function isRefused(): bool
    {
        return $this->kind === self::REFUSED;
    }

    public function isIndeterminate(): bool
    {
        return $this->kind === self::INDETERMINATE;
    }

    /** @return mixed */
    public function getAnswer()
    {
        return $this->answer;
    }

    /** `done`; a code of docs/hooks.md; or one of this client's own, as `Sentences` lists them. */
    public function getCode(): string
    {
        return $this->code;
    }

    public function getSentence(): string
    {
        return $this->sentence;
    }

    public function getDetail(): string
    {
        return $this->detail;
    }

    /** The Idempotency-Key of what is indeterminate. */
    public function getKey(): string
    {
        return $this->key;
    }

    public function getRequest(): string
    {
        return $this->request;
    }

    public function getRetryAfter(): int
    {
        return $this->retryAfter;
    }

    /**
     * What may stand in a log: no answer, which can hold a link or an epoch, and nothing that was sent.
     *
     * @return array<string, mixed>
     */
    public function forLog(): array
    {
        return array_filter([
            'outcome' => $this->kind,
            'code' => $this->code,
            'detail' => $this->detail,
            'request' => $this->request,
            'idempotency-key' => $this->key,
        ], static fn ($value): bool => $value !== '');
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        return $this->forLog();
    }
}
