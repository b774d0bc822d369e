<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** Signs a request by HTTP Message Signatures (RFC 9421), `hmac-sha256`, so that the token itself does not travel. */
final class Signature
{
    /**
     * @param string $query Without its question mark; empty: there is none.
     * @param ?string $body Null: there is none.
     *
     * @return array<string, string> Headers.
     */
    public static function headers(
        #[\SensitiveParameter]
        string $token,
        string $method,
        string $path,
        string $query,
        #[\SensitiveParameter]
        ?string $body,
        ?string $idempotencyKey,
        int $now,
        string $nonce,
        ?string $clientAddress = null
    ): array {
        $headers = [];
        $covered = ['@method' => $method, '@path' => $path];
        if ($query !== '') {
            $covered['@query'] = '?' . $query;
        }
        if ($body !== null) {
            $headers['Content-Digest'] = 'sha-256=:' . base64_encode(hash('sha256', $body, true)) . ':';
            $covered['content-digest'] = $headers['Content-Digest'];
        }
        if ($idempotencyKey !== null) {
            $covered['idempotency-key'] = $idempotencyKey;
        }
        if ($clientAddress !== null) {
            $covered['keyturn-client-address'] = $clientAddress;
        }
        $parameters = '("' . implode('" "', array_keys($covered)) . '");created=' . $now . ';nonce="' . $nonce
            . '";keyid="' . substr($token, 3, 12) . '";alg="hmac-sha256"';
        $base = '';
        foreach ($covered as $name => $value) {
            $base .= '"' . $name . '": ' . $value . "\n";
        }
        $base .= '"@signature-params": ' . $parameters;
        $key = hash_hmac('sha256', 'keyturn request signing', $token, true);
        $headers['Signature-Input'] = 'sig=' . $parameters;
        $headers['Signature'] = 'sig=:' . base64_encode(hash_hmac('sha256', $base, $key, true)) . ':';
        return $headers;
    }
}
