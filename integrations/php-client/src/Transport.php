<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** One request, one answer, by curl. Never throws: what goes wrong is told in the `Reply`. */
final class Transport
{
    /** Bytes of a body at most. */
    private const BODY = 262144;
    /** Bytes of all headers at most. */
    private const HEAD = 32768;

    private const UNTRUSTED = [
        CURLE_SSL_CACERT,
        CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_CONNECT_ERROR,
        CURLE_SSL_PEER_CERTIFICATE,
        83, // CURLE_SSL_ISSUER_ERROR, which PHP has no name for
    ];

    private Settings $settings;

    public function __construct(Settings $settings)
    {
        $this->settings = $settings;
    }

    /**
     * @param string $target Path and query.
     * @param array<string, string> $headers
     * @param ?string $body Null: there is none.
     * @param float $seconds All in all.
     */
    public function send(
        string $method,
        string $target,
        #[\SensitiveParameter]
        array $headers,
        #[\SensitiveParameter]
        ?string $body,
        float $seconds
    ): Reply {
        $reply = new Reply();
        $curl = curl_init();
        if ($curl === false) {
            $reply->sent = false;
            $reply->failure = 'curl cannot be started.';
            return $reply;
        }
        $lines = [];
        foreach ($headers as $name => $value) {
            $lines[] = $name . ': ' . $value;
        }
        $tooLarge = false;
        $read = 0;
        $options = [
            CURLOPT_URL => $this->settings->getAddress() . $target,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_FOLLOWLOCATION => false,
            // What the environment names as a proxy is not asked: a password goes to the host and to nobody else.
            CURLOPT_PROXY => '',
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
            CURLOPT_SSLVERSION => CURL_SSLVERSION_TLSv1_2,
            CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
            CURLOPT_CONNECTTIMEOUT_MS => (int) (1000 * min($seconds, $this->settings->getConnectSeconds())),
            CURLOPT_TIMEOUT_MS => (int) (1000 * $seconds),
            CURLOPT_NOSIGNAL => true,
            // Not taken from a file of the machine's: curl would send what ~/.netrc holds.
            CURLOPT_NETRC => 0,
            CURLOPT_PATH_AS_IS => true,
            CURLOPT_HEADERFUNCTION => static function ($curl, string $line) use ($reply, &$read, &$tooLarge): int {
                $read += strlen($line);
                if ($read > self::HEAD) {
                    $tooLarge = true;
                    return 0;
                }
                if (strncmp($line, 'HTTP/', 5) === 0) {
                    // After "100 Continue" there is another one.
                    $reply->headers = [];
                } elseif (strpos($line, ':') !== false) {
                    [$name, $value] = explode(':', $line, 2);
                    $reply->headers[strtolower(trim($name))] = trim($value);
                }
                return strlen($line);
            },
            CURLOPT_WRITEFUNCTION => static function ($curl, string $part) use ($reply, &$tooLarge): int {
                if (strlen($reply->body) + strlen($part) > self::BODY) {
                    $tooLarge = true;
                    return 0;
                }
                $reply->body .= $part;
                return strlen($part);
            },
        ];
        if ($body !== null) {
            $options[CURLOPT_POSTFIELDS] = $body;
            // A host that never answers "100 Continue" would cost a second.
            $lines[] = 'Expect:';
        }
        $options[CURLOPT_HTTPHEADER] = $lines;
        if ($this->settings->getCaFile() !== null) {
            $options[CURLOPT_CAINFO] = $this->settings->getCaFile();
            // Instead of the machine's authorities, not beside them: a folder without any.
            $options[CURLOPT_CAPATH] = __DIR__;
        }
        if (!curl_setopt_array($curl, $options)) {
            $reply->sent = false;
            $reply->failure = 'curl does not take an option that is needed: ' . curl_error($curl);
            return $reply;
        }
        $whole = curl_exec($curl) !== false;
        $error = curl_errno($curl);
        // Curl counts what it has written of the request, once it has a connection that it trusts.
        $reply->sent = (int) curl_getinfo($curl, CURLINFO_REQUEST_SIZE) > 0;
        if ($whole && $error === 0) {
            $reply->status = (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
            return $reply;
        }
        $reply->failure = $tooLarge ? 'The answer is too large.' : 'curl ' . $error . ': ' . curl_error($curl);
        $reply->untrusted = !$reply->sent && in_array($error, self::UNTRUSTED, true);
        $reply->body = '';
        return $reply;
    }
}
