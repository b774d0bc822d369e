<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * Where the host is, with which key it is asked, and how long it is waited for.
 *
 * There is no setting that turns the check of certificates off: a host with a certificate of its own authority is trusted by
 * `ca-file`. And there is none that lets passwords go over http to another machine.
 */
final class Settings
{
    /** Seconds. */
    public const CONNECT = 5;
    /** Seconds, all in all: of one request, or of all those of one deed (`Client::begin`). */
    public const TOTAL = 10;
    /** What the total may be set to at most, in seconds: all of it passes inside somebody's web request. */
    public const TOTAL_AT_MOST = 30;

    private string $address;
    private string $token;
    private bool $sign;
    private ?string $caFile;
    private int $connectSeconds;
    private int $totalSeconds;
    private string $language;

    /**
     * @param array<string, mixed> $settings
     *  - `address`: `https://host` or `https://host:port`; `http://` for this machine itself (127.0.0.0/8, [::1], localhost);
     *  - `token`: as `keyturn keys add` printed it;
     *  - `sign`: whether requests are signed (RFC 9421) and the token stays here, true; or false, and it is borne;
     *  - `ca-file`: PEM, trusted instead of the machine's authorities;
     *  - `connect-seconds`, `total-seconds`;
     *  - `language`: of the sentences, `en` or `es`; others are asked of the host and are English here.
     *
     * @throws InvalidSettings
     */
    public function __construct(
        #[\SensitiveParameter]
        array $settings
    ) {
        $this->address = self::address($settings['address'] ?? '');
        $this->token = self::token($settings['token'] ?? '');
        $this->sign = (bool) ($settings['sign'] ?? true);
        $this->caFile = self::caFile($settings['ca-file'] ?? '');
        $this->totalSeconds = self::seconds('total-seconds', $settings['total-seconds'] ?? self::TOTAL);
        $connect = self::seconds('connect-seconds', $settings['connect-seconds'] ?? self::CONNECT);
        $this->connectSeconds = min($connect, $this->totalSeconds);
        $language = $settings['language'] ?? 'en';
        $known = is_string($language) && preg_match('/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\z/', $language) === 1;
        $this->language = $known ? $language : 'en';
    }

    /**
     * What holds for this machine rather than for one server, of a file that returns it as an array, if there is one: `ca-file`,
     * `sign`, `connect-seconds`, `total-seconds`. The rest is the adapter's own.
     *
     * @return array<string, mixed>
     */
    public static function local(string $file): array
    {
        $local = is_file($file) ? require $file : [];
        return is_array($local) ? $local : [];
    }

    /**
     * The address by the host's name or number and what is set beside it.
     *
     * @param mixed $port
     */
    public static function addressOf(string $host, $port, bool $secure): string
    {
        if (filter_var($host, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false) {
            $host = '[' . $host . ']';
        }
        $port = is_int($port) || is_string($port) ? trim((string) $port) : '';
        return ($secure ? 'https://' : 'http://') . $host . ($port === '' || $port === '0' ? '' : ':' . $port);
    }

    public function getAddress(): string
    {
        return $this->address;
    }

    public function getToken(): string
    {
        return $this->token;
    }

    public function signs(): bool
    {
        return $this->sign;
    }

    public function getCaFile(): ?string
    {
        return $this->caFile;
    }

    public function getConnectSeconds(): int
    {
        return $this->connectSeconds;
    }

    public function getTotalSeconds(): int
    {
        return $this->totalSeconds;
    }

    public function getLanguage(): string
    {
        return $this->language;
    }

    /** The same, for what is only shown beside something else: waited for no longer than this. */
    public function within(int $seconds): self
    {
        $same = clone $this;
        $same->totalSeconds = max(1, min($seconds, $this->totalSeconds));
        $same->connectSeconds = min($this->connectSeconds, $same->totalSeconds);
        return $same;
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        return ['address' => $this->address, 'token' => Mask::MASK, 'sign' => $this->sign, 'ca-file' => $this->caFile];
    }

    /** @param mixed $address */
    private static function address($address): string
    {
        $address = is_string($address) ? rtrim(trim($address), '/') : '';
        $host = '(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])';
        if (preg_match('~^(https?)://(' . $host . ')(?::([0-9]{1,5}))?\z~i', $address, $parts) !== 1) {
            throw new InvalidSettings('The address must be like https://panel.example or https://panel.example:8443.');
        }
        if (isset($parts[3]) && ((int) $parts[3] < 1 || (int) $parts[3] > 65535)) {
            throw new InvalidSettings('The port in the address must be 1 to 65535.');
        }
        if (strtolower($parts[1]) === 'http' && !self::isThisMachine(strtolower($parts[2]))) {
            throw new InvalidSettings('The address must begin with https://. Use http:// for this machine only.');
        }
        return $address;
    }

    private static function isThisMachine(string $host): bool
    {
        $isIpv4 = filter_var($host, FILTER_VALIDATE_IP, FILTER_FLAG_IPV4) !== false;
        return $host === 'localhost' || $host === '[::1]' || ($isIpv4 && strncmp($host, '127.', 4) === 0);
    }

    /** @param mixed $token */
    private static function token(
        #[\SensitiveParameter]
        $token
    ): string {
        $token = is_string($token) ? trim($token) : '';
        if (preg_match('/^kt_[a-z2-7]{12}_[a-z2-7]{52}\z/', $token) !== 1) {
            throw new InvalidSettings('The token must look as keyturn keys add printed it: kt_, 12 characters, _, 52 characters.');
        }
        return $token;
    }

    /** @param mixed $file */
    private static function caFile($file): ?string
    {
        if ($file === null || $file === '') {
            return null;
        }
        // curl would say of a missing one that the host's certificate is wrong.
        if (!is_string($file) || !is_file($file) || !is_readable($file)) {
            throw new InvalidSettings('The ca-file can\'t be read.');
        }
        return $file;
    }

    /** @param mixed $seconds */
    private static function seconds(string $name, $seconds): int
    {
        $whole = filter_var($seconds, FILTER_VALIDATE_INT);
        if ($whole === false || $whole < 1 || $whole > self::TOTAL_AT_MOST) {
            throw new InvalidSettings($name . ' must be 1 to ' . self::TOTAL_AT_MOST . '.');
        }
        return $whole;
    }
}
