<?php

declare(strict_types=1);

/** A host that does what a test says, one step for each connection: fake-host.php in a process of its own. */
final class FakeHost
{
    public string $address;
    private string $record;
    /** @var resource */
    private $process;

    /**
     * @param array<int, array<string, mixed>> $steps As fake-host.php reads them; after the last one it hangs up on everybody.
     * @param string $certificate A PEM file with key: it speaks TLS.
     */
    public function __construct(array $steps, string $certificate = '')
    {
        $this->record = tempnam(sys_get_temp_dir(), 'keyturn-record-');
        $command = [PHP_BINARY, __DIR__ . '/fake-host.php', $this->record, $certificate];
        $this->process = proc_open($command, [['pipe', 'r'], ['pipe', 'w'], ['file', '/dev/null', 'w']], $pipes);
        fwrite($pipes[0], json_encode($steps));
        fclose($pipes[0]);
        $port = (int) fgets($pipes[1]);
        if ($port === 0) {
            throw new RuntimeException('The fake host did not start.');
        }
        $this->address = ($certificate === '' ? 'http' : 'https') . '://127.0.0.1:' . $port;
    }

    public function __destruct()
    {
        proc_terminate($this->process, 9);
        proc_close($this->process);
        @unlink($this->record);
    }

    /** @return array<int, string> Each request as it came, whole. */
    public function requests(): array
    {
        $lines = file($this->record, FILE_IGNORE_NEW_LINES);
        return array_map('base64_decode', is_array($lines) ? $lines : []);
    }

    /** @return array<int, array<string, mixed>> */
    public function bodies(): array
    {
        return array_map(static function (string $request): array {
            return (array) json_decode(explode("\r\n\r\n", $request, 2)[1], true);
        }, $this->requests());
    }

    /** @return array<int, string> The Idempotency-Keys, in order; empty where a request had none. */
    public function keys(): array
    {
        return array_map(static function (string $request): string {
            return preg_match('/^idempotency-key: (.*?)\r$/mi', $request, $found) === 1 ? $found[1] : '';
        }, $this->requests());
    }

    /**
     * A step that answers so.
     *
     * @param mixed $body As JSON; a string as it is.
     * @param array<string, string> $headers
     *
     * @return array<string, mixed>
     */
    public static function answer(int $status, $body, string $type = 'application/json', array $headers = []): array
    {
        $body = is_string($body) ? $body : (string) json_encode($body);
        $headers += ['Content-Type' => $type, 'Content-Length' => (string) strlen($body)];
        $raw = 'HTTP/1.1 ' . $status . " Whatever\r\nConnection: close\r\n";
        foreach ($headers as $name => $value) {
            $raw .= $name . ': ' . $value . "\r\n";
        }
        return ['send' => base64_encode($raw . "\r\n" . $body)];
    }

    /**
     * @param array<string, mixed> $more
     * @param array<string, string> $headers
     *
     * @return array<string, mixed>
     */
    public static function problem(int $status, string $code, array $more = [], array $headers = []): array
    {
        $document = ['type' => '/v1/#' . $code, 'title' => 'T.', 'status' => $status, 'code' => $code] + $more;
        return self::answer($status, $document, 'application/problem+json', $headers);
    }

    /** @return array<string, mixed> Sets a password, and says so. */
    public static function changed(): array
    {
        return self::answer(200, ['sessions_ended' => 2, 'session_epoch' => 'e1', 'notice' => null]);
    }

    /** @return array<string, mixed> The session epoch that an account has now; `changed` made it e1. */
    public static function epoch(string $epoch = 'e1'): array
    {
        return self::answer(200, ['epoch' => $epoch]);
    }

    /** @return array<string, mixed> */
    public static function named(string $account = 'customer:1', string $matched = 'login'): array
    {
        $found = ['account' => $account, 'matched' => $matched, 'is_address' => $matched === 'email'];
        return self::answer(200, ['accounts' => [$found]]);
    }

    /** @return array<int, array<string, mixed>> That an account is a client's own: found by his address, and by the user name. */
    public static function own(): array
    {
        return [self::named('customer:1', 'email'), self::named()];
    }
}
