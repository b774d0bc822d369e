<?php

declare(strict_types=1);

/**
 * Keyturn's pages and regions in the pages of a panel in PHP: this file is all there is to copy. PHP 7.4 or later, with curl.
 *
 * Each request to the host is signed (HTTP Message Signatures, RFC 9421, hmac-sha256) and says for whom the panel asks; it is
 * good for a minute, once. docs/embedding.md describes every byte.
 */
final class KeyturnViews
{
    /** Seconds to connect, and for all of a request. */
    private const CONNECT = 3;
    private const TOTAL = 10;
    /** Seconds for all of a form: the host's page Email settings may try for 30 to send its test mail. */
    private const FORM_TOTAL = 35;
    /** Bytes of an answer at most. */
    private const ANSWER = 2097152;

    /** @var array{css: string, js: string}|null Of what was drawn last. */
    private static $look;
    /** @var string */
    private $host;
    /** @var string */
    private $audience;
    /** @var string */
    private $keyId;
    /** @var string */
    private $signingKey;
    /** @var string|null */
    private $caFile;
    /** @var string|null */
    private $onBehalf;

    /**
     * @param string      $host     Where `keyturn serve` listens: http://127.0.0.1:8089, or https elsewhere: forms hold passwords.
     * @param string      $token    A service key with the scope `views`; `keyturn keys add` has shown it.
     * @param string      $audience The host's `brand.link-origin`, to the letter.
     * @param string|null $caFile   Certificates to trust besides the system's. You can't trust all.
     *
     * @throws InvalidArgumentException The host or the token cannot be one.
     */
    public function __construct(
        string $host,
        #[\SensitiveParameter]
        string $token,
        string $audience,
        ?string $caFile = null
    ) {
        if (!preg_match('/^kt_([a-z2-7]{12})_[a-z2-7]{52}\z/', $token, $match)) {
            throw new InvalidArgumentException('This is not a service key. It must look like kt_…_…, as printed by keyturn keys add.');
        }
        $this->host = self::address($host);
        $this->audience = $audience;
        $this->keyId = $match[1];
        $this->signingKey = hash_hmac('sha256', 'keyturn request signing', $token, true);
        $this->caFile = $caFile;
    }

    /**
     * The same, for one reader.
     *
     * @param string|null           $who        The reader's account, REALM:KEY; null: nobody is signed in.
     * @param array<string, string> $reach      Whom the reader manages, besides themselves: realm => 'own' or 'all'.
     * @param string                $session    The session's id or the like; a hash of it is sent.
     * @param int|null              $verifiedAt Unix seconds when the reader last typed their password in this session.
     * @param string|null           $address    The client's address, as clientAddress() finds it; null: it is not known.
     * @param bool                  $operator   Whether the reader may use the host's own pages: outbox, mail.
     */
    public function forReader(
        ?string $who,
        array $reach,
        #[\SensitiveParameter]
        string $session,
        ?int $verifiedAt,
        string $locale,
        ?string $address,
        bool $operator = false
    ): self {
        $reader = clone $this;
        $reader->onBehalf = base64_encode((string) json_encode([
            'audience' => $this->audience,
            'who' => $who,
            'reach' => (object) $reach,
            'session' => hash('sha256', 'keyturn ' . $session),
            'verified_at' => $verifiedAt,
            'locale' => $locale,
            'address' => $address === null ? null : self::readable($address),
            'operator' => $operator,
        ], JSON_THROW_ON_ERROR));
        return $reader;
    }

    /**
     * The address of the client who asks, for forReader(); null: it is not known. A proxy's address is never a client's: behind
     * proxies of yours the client is who the last of them saw, as it wrote into X-Forwarded-For.
     *
     * @param array<string, mixed> $server  $_SERVER.
     * @param string[]             $proxies The addresses of your proxies; whoever else is among them can say any address.
     */
    public static function clientAddress(array $server, array $proxies = []): ?string
    {
        $proxies = array_map([self::class, 'readable'], $proxies);
        $said = explode(',', (string) ($server['HTTP_X_FORWARDED_FOR'] ?? ''));
        $client = self::readable((string) ($server['REMOTE_ADDR'] ?? ''));
        while ($client !== null && in_array($client, $proxies, true)) {
            $client = self::readable((string) array_pop($said));
        }
        return $client;
    }

    /** An address without port, zone and brackets; null if it is not one. */
    private static function readable(string $said): ?string
    {
        $form = '/^[ \t]*+(?:\[([0-9A-Fa-f:.]+)(?:%[^\]]*)?\](?::[0-9]+)?|([0-9.]+)(?::[0-9]+)?|([0-9A-Fa-f:.]+)(?:%.*)?)[ \t]*\z/';
        $address = preg_match($form, $said, $parts) === 1 ? (string) end($parts) : '';
        $bytes = filter_var($address, FILTER_VALIDATE_IP) === false ? false : inet_pton($address);
        if ($bytes === false) {
            return null;
        }
        $mapped = strlen($bytes) === 16 && strncmp($bytes, str_repeat("\0", 10) . "\xff\xff", 12) === 0;
        return (string) inet_ntop($mapped ? substr($bytes, 12) : $bytes);
    }

    /**
     * A region of a page: `html` goes where it is to stand, `summary` first in the page, head() into its head.
     *
     * @param string $url Where the page stands, its query with it: forms post there.
     * @return array{html: string, summary: string}
     */
    public function slot(
        string $slot,
        ?string $subject,
        string $url,
        #[\SensitiveParameter]
        ?string $corrections = null,
        int $level = 2
    ): array {
        $query = ['kt-url' => $url, 'kt-level' => $level] + ($subject === null ? [] : ['kt-for' => $subject]);
        return $this->draw('/v1/views/slots/' . rawurlencode($slot), http_build_query($query), $corrections);
    }

    /**
     * What is said in the rows of a list of at most a hundred accounts, or, for one, beside its heading.
     *
     * @param string[] $subjects
     * @return array{rows: array<array{subject: string, sentence: string, actions: string}>}
     */
    public function rows(string $slot, array $subjects, string $url): array
    {
        $query = http_build_query(['kt-url' => $url]);
        foreach ($subjects as $subject) {
            $query .= '&kt-for=' . rawurlencode($subject);
        }
        return $this->draw('/v1/views/rows/' . rawurlencode($slot), $query, null);
    }

    /**
     * A whole page, by the query of the panel's one page for them, as the browser sent it.
     *
     * @return array{title: string, html: string}
     */
    public function page(
        string $query,
        string $url,
        #[\SensitiveParameter]
        ?string $corrections = null
    ): array {
        $own = array_filter(explode('&', $query), static function (string $pair): bool {
            return $pair !== '' && urldecode(explode('=', $pair)[0]) !== 'kt-url';
        });
        array_unshift($own, http_build_query(['kt-url' => $url]));
        return $this->draw('/v1/views/page', implode('&', $own), $corrections);
    }

    /** For the head of the page: the style sheet and the script of what was drawn for it; empty if nothing was. */
    public static function head(): string
    {
        if (self::$look === null) {
            return '';
        }
        ['css' => $css, 'js' => $js] = array_map('htmlspecialchars', self::$look);
        return "<link rel=\"stylesheet\" href=\"$css\">\n<script src=\"$js\" defer></script>\n";
    }

    /** Whether a form that was posted is one of Keyturn's. */
    public static function isForm(array $post): bool
    {
        return isset($post['kt']);
    }

    /**
     * Passes on a form as it was posted: `file_get_contents('php://input')`. By `kind`:
     *  - done: redirect to `url` by 303 and keep `notice` for the page there; with an `epoch`, the reader has replaced their
     *    own password and gets a new session;
     *  - again, stale: draw the page again, with `corrections`; stale because the session ended: `sign_in_as` says whose;
     *  - step-up: ask for the reader's password, and keep `held` in the form; when it was right, call held();
     *  - reveal: draw `title` and `html`, only once;
     *  - script: answer `json` as application/json, with Cache-Control: no-store.
     *
     * @return array<string, mixed>
     */
    public function submit(
        #[\SensitiveParameter]
        string $body,
        string $url
    ): array {
        $path = '/v1/views/submit?' . http_build_query(['kt-url' => $url]);
        return $this->ask('POST', $path, $body, 'application/x-www-form-urlencoded', self::FORM_TOTAL);
    }

    /**
     * A form that has waited until the reader typed their password; `forReader` says that they did. Answers as submit().
     *
     * @return array<string, mixed>
     */
    public function held(
        #[\SensitiveParameter]
        string $held,
        string $url
    ): array {
        $path = '/v1/views/held?' . http_build_query(['kt-url' => $url]);
        return $this->ask('POST', $path, (string) json_encode(['held' => $held]), 'application/json', self::FORM_TOTAL);
    }

    /** The notice of a finished form, to put before the heading; empty if it is somebody else's, or too late. */
    public function notice(string $notice): string
    {
        $answer = $this->ask('POST', '/v1/views/notice', (string) json_encode(['notice' => $notice]), 'application/json');
        return (string) ($answer['html'] ?? '');
    }

    /** The host's address, if forms may go there: http:// is for this machine itself. */
    private static function address(string $host): string
    {
        $host = rtrim($host, '/');
        $name = '(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])';
        if (preg_match('~^(https?)://(' . $name . ')(?::[0-9]{1,5})?\z~i', $host, $parts) !== 1) {
            throw new InvalidArgumentException('$host must be like http://127.0.0.1:8089, or https://panel.example:8443.');
        }
        if (strtolower($parts[1]) === 'http' && !self::isThisMachine(strtolower($parts[2]))) {
            throw new InvalidArgumentException('$host must begin with https://: http:// is for this machine itself only.');
        }
        return $host;
    }

    private static function isThisMachine(string $name): bool
    {
        $isIpv4 = filter_var($name, FILTER_VALIDATE_IP, FILTER_FLAG_IPV4) !== false;
        return $name === 'localhost' || $name === '[::1]' || ($isIpv4 && strncmp($name, '127.', 4) === 0);
    }

    private function draw(
        string $path,
        string $query,
        #[\SensitiveParameter]
        ?string $corrections
    ): array {
        if ($corrections === null) {
            return $this->ask('GET', "$path?$query", '', '');
        }
        $body = (string) json_encode(['corrections' => $corrections]);
        return $this->ask('POST', "$path?$query", $body, 'application/json');
    }

    /** @return array<string, mixed> */
    private function ask(
        string $method,
        string $target,
        #[\SensitiveParameter]
        string $body,
        string $type,
        int $seconds = self::TOTAL
    ): array {
        if ($this->onBehalf === null) {
            throw new LogicException('Call forReader() first.');
        }
        $headers = $this->signed($method, $target, $body, $type);
        $answer = '';
        $curl = curl_init($this->host . $target);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_CONNECTTIMEOUT => self::CONNECT,
            CURLOPT_TIMEOUT => $seconds,
            // What the environment names as a proxy is not asked, and no netrc file is read: a form goes to the host and to nobody else.
            CURLOPT_PROXY => '',
            CURLOPT_NETRC => 0,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
            CURLOPT_WRITEFUNCTION => static function ($curl, string $part) use (&$answer): int {
                $answer .= $part;
                return strlen($answer) > self::ANSWER ? 0 : strlen($part);
            },
        ] + ($body === '' ? [] : [CURLOPT_POSTFIELDS => $body]) + ($this->caFile === null ? [] : [CURLOPT_CAINFO => $this->caFile]));
        $sent = curl_exec($curl);
        $status = (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $error = curl_error($curl);
        if ($sent === false) {
            throw new KeyturnProblem(0, 'unreachable', "Keyturn does not answer: $error");
        }
        $decoded = json_decode($answer, true);
        if ($status === 200 && is_array($decoded)) {
            if (isset($decoded['css'], $decoded['js'])) {
                self::$look = ['css' => $this->audience . $decoded['css'], 'js' => $this->audience . $decoded['js']];
            }
            return $decoded;
        }
        $code = is_array($decoded) && is_string($decoded['code'] ?? null) ? $decoded['code'] : 'answer';
        $detail = is_array($decoded) ? (string) ($decoded['detail'] ?? $decoded['title'] ?? '') : '';
        $request = is_array($decoded) ? (string) ($decoded['request'] ?? '') : '';
        throw new KeyturnProblem($status, $code, trim("$detail [$request]"));
    }

    /** @return string[] */
    private function signed(
        string $method,
        string $target,
        #[\SensitiveParameter]
        string $body,
        string $type
    ): array {
        [$path, $query] = explode('?', $target, 2) + [1 => null];
        $values = ['@method' => $method, '@path' => $path];
        $headers = [];
        if ($query !== null) {
            $values['@query'] = "?$query";
        }
        if ($method === 'POST') {
            $values['content-digest'] = 'sha-256=:' . base64_encode(hash('sha256', $body, true)) . ':';
            $headers = ["Content-Type: $type", 'Content-Digest: ' . $values['content-digest'], 'Expect:'];
        }
        $values['keyturn-on-behalf'] = (string) $this->onBehalf;
        $parameters = '("' . implode('" "', array_keys($values)) . '");created=' . time()
            . ';nonce="' . bin2hex(random_bytes(16)) . '";keyid="' . $this->keyId . '"';
        $base = '';
        foreach ($values as $name => $value) {
            $base .= "\"$name\": $value\n";
        }
        $base .= "\"@signature-params\": $parameters";
        $signature = base64_encode(hash_hmac('sha256', $base, $this->signingKey, true));
        return array_merge($headers, [
            'Keyturn-On-Behalf: ' . $this->onBehalf,
            "Signature-Input: sig=$parameters",
            "Signature: sig=:$signature:",
            'Accept: application/json',
        ]);
    }
}

/** The host refused something, or did not answer. docs/hooks.md lists the codes. */
final class KeyturnProblem extends RuntimeException
{
    /** @var int 0: there was no answer. */
    public $status;
    /** @var string */
    public $problem;

    public function __construct(int $status, string $problem, string $detail)
    {
        parent::__construct("$problem: $detail");
        $this->status = $status;
        $this->problem = $problem;
    }
}
