<?php

declare(strict_types=1);

use Keyturn\Client\Client;
use Keyturn\Client\Outcome;
use Keyturn\Client\Settings;
use PHPUnit\Framework\TestCase;

/** What the client makes of hosts that are down, slow, wrong or lying. */
final class ClientTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const PASSWORD = 'copper lantern oats';

    /** @param array<string, mixed> $more */
    private static function client(string $address, array $more = []): Client
    {
        return new Client(new Settings($more + ['address' => $address, 'token' => self::TOKEN, 'total-seconds' => 2]));
    }

    private static function set(Client $client): Outcome
    {
        $arguments = ['account' => 'customer:1', 'new' => self::PASSWORD, 'must_change' => false];
        return $client->call('password/set-password', $arguments, 'key-1');
    }

    /** @param array<string, mixed> $step */
    private static function of(array $step): Outcome
    {
        $host = new FakeHost([$step]);
        return self::set(self::client($host->address));
    }

    private static function assertRefused(string $code, Outcome $outcome): void
    {
        self::assertTrue($outcome->isRefused(), print_r($outcome, true));
        self::assertSame($code, $outcome->getCode(), print_r($outcome, true));
        self::assertNotSame('', $outcome->getSentence());
    }

    private static function assertOpen(Outcome $outcome): void
    {
        self::assertTrue($outcome->isIndeterminate(), print_r($outcome, true));
        self::assertSame('key-1', $outcome->getKey());
        self::assertStringContainsString('may or may not', $outcome->getSentence());
    }

    public function testWhatTheHostConfirmsIsDone(): void
    {
        $outcome = self::of(FakeHost::changed());
        self::assertTrue($outcome->isDone(), print_r($outcome, true));
        self::assertSame(2, $outcome->getAnswer()['sessions_ended']);
    }

    /** @dataProvider lies */
    public function testALieIsNeverTakenForDone(array $step): void
    {
        self::assertOpen(self::of($step));
    }

    /** @return array<string, array{array<string, mixed>}> */
    public function lies(): array
    {
        $good = ['sessions_ended' => 2, 'session_epoch' => 'e1', 'notice' => null];
        $json = (string) json_encode($good);
        $raw = static function (string $text): array {
            return ['send' => base64_encode($text)];
        };
        $head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n";
        return [
            'HTML' => [FakeHost::answer(200, '<html>It works!</html>', 'text/html')],
            'HTML that says it is JSON' => [FakeHost::answer(200, '<html>It works!</html>')],
            'JSON that says it is HTML' => [FakeHost::answer(200, $good, 'text/html')],
            'nothing' => [FakeHost::answer(200, '')], 'null' => [FakeHost::answer(200, 'null')],
            'true' => [FakeHost::answer(200, 'true')], 'a list' => [FakeHost::answer(200, '[]')],
            'an empty object' => [FakeHost::answer(200, '{}')],
            'success of another kind' => [FakeHost::answer(200, ['success' => true])],
            'a count in words' => [FakeHost::answer(200, ['sessions_ended' => 'two'] + $good)],
            'no epoch' => [FakeHost::answer(200, ['sessions_ended' => 2, 'notice' => null])],
            'an epoch that is a number' => [FakeHost::answer(200, ['session_epoch' => 5] + $good)],
            'another hook\'s answer' => [FakeHost::answer(200, ['mail' => 'm', 'mode' => 'temporary', 'until' => 1])],
            'cut off' => [FakeHost::answer(200, substr($json, 0, -3))],
            'two documents' => [FakeHost::answer(200, $json . $json)],
            'not UTF-8' => [FakeHost::answer(200, str_replace('e1', "e\xff", $json))],
            'no content where some is due' => [FakeHost::answer(204, '')],
            '201' => [FakeHost::answer(201, $good)], '202' => [FakeHost::answer(202, $good)], '206' => [FakeHost::answer(206, $good)],
            'longer than it says' => [FakeHost::answer(200, $good, 'application/json', ['Content-Length' => '20'])],
            'shorter than it says' => [FakeHost::answer(200, $good, 'application/json', ['Content-Length' => '2000'])],
            'compressed' => [FakeHost::answer(200, $good, 'application/json', ['Content-Encoding' => 'gzip'])],
            'in another charset' => [FakeHost::answer(200, $good, 'application/json; charset=latin1')],
            'too much' => [FakeHost::answer(200, str_pad($json, 300000))],
            'too many headers' => [FakeHost::answer(200, $good, 'application/json', ['X-Pad' => str_repeat('x', 40000)])],
            'moved' => [FakeHost::answer(302, '', 'text/html', ['Location' => 'http://127.0.0.1:1/'])],
            'moved for good' => [FakeHost::answer(308, $good, 'application/json', ['Location' => 'https://evil.example/'])],
            'a server error in HTML' => [FakeHost::answer(500, '<h1>500</h1>', 'text/html')],
            'a proxy that waits' => [FakeHost::answer(503, '<h1>503</h1>', 'text/html', ['Retry-After' => '7'])],
            'a proxy\'s 502' => [FakeHost::answer(502, 'Bad Gateway', 'text/plain')],
            'a 404 of another server' => [FakeHost::answer(404, '<h1>Not Found</h1>', 'text/html')],
            'a problem with another status' => [FakeHost::answer(422, ['status' => 409, 'code' => 'conflict'], 'application/problem+json')],
            'a code with a status not its own' => [FakeHost::problem(500, 'refused')],
            'a problem without a code' => [FakeHost::answer(422, ['status' => 422], 'application/problem+json')],
            'a problem of a type of its own' => [FakeHost::answer(422, ['status' => 422, 'code' => 'invalid'])],
            'a newer code of 5xx' => [FakeHost::problem(507, 'heard-of-later')],
            'internal' => [FakeHost::problem(500, 'internal')], 'indeterminate' => [FakeHost::problem(504, 'indeterminate')],
            'nothing but a status line' => [$raw("HTTP/1.1 200 OK\r\n\r\n")],
            'no HTTP' => [$raw($json)], 'HTTP 0.9' => [$raw("<html>It works!</html>\r\n")],
            'hung up within the head' => [$raw($head)],
            'hung up within a chunk' => [$raw($head . "Transfer-Encoding: chunked\r\n\r\n1000\r\n" . $json)],
            'hung up' => [$raw('')], 'reset' => [['reset' => true]],
        ];
    }

    /** @dataProvider problems */
    public function testAProblemThatSaysThatNothingWasChangedIsRefusedByItsCode(int $status, string $code): void
    {
        $outcome = self::of(FakeHost::problem($status, $code, ['detail' => 'kt_ <b>inside</b>'], ['Retry-After' => '7']));
        self::assertRefused($code, $outcome);
        self::assertSame(7, $outcome->getRetryAfter());
        self::assertStringNotContainsString('<', $outcome->getSentence() . $outcome->getDetail());
        if ($code !== 'refused') {
            self::assertStringNotContainsString('inside', $outcome->getSentence(), 'what is for operators is not for customers');
        }
    }

    /** @return array<string, array{int, string}> */
    public function problems(): array
    {
        $all = [];
        // As the table in docs/hooks.md has them.
        $rows = file(dirname(__DIR__, 3) . '/docs/hooks.md', FILE_IGNORE_NEW_LINES) ?: [];
        foreach ($rows as $row) {
            if (preg_match('/^\| ([0-9, ]+) \| (`[^|]+) \|/', $row, $cells) === 1) {
                preg_match_all('/`([a-z-]+)`/', $cells[2], $codes);
                $statuses = explode(', ', $cells[1]);
                foreach ($codes[1] as $number => $code) {
                    $all[$code] = [(int) ($statuses[$number] ?? $statuses[0]), $code];
                }
            }
        }
        self::assertGreaterThan(25, count($all), 'the table was not found');
        unset($all['internal'], $all['indeterminate']);
        return $all + ['a newer one' => [418, 'heard-of-later']];
    }

    public function testWhatIsWrongWithAPasswordIsSaidInTheHostsWords(): void
    {
        $errors = [['path' => 'new', 'code' => 'too-short', 'message' => 'This has 3 characters.'],
            ['path' => 'new', 'code' => 'known', 'message' => "<b>Known</b>\nelsewhere."], 'nonsense', ['message' => ['x']]];
        $outcome = self::of(FakeHost::problem(422, 'invalid', ['errors' => $errors]));
        self::assertRefused('invalid', $outcome);
        self::assertSame('This has 3 characters. ‹b›Known‹/b› elsewhere.', $outcome->getSentence());
        $outcome = self::of(FakeHost::problem(422, 'refused', ['detail' => 'Mail is not set up.', 'reason' => 'mail-not-configured']));
        self::assertSame('Mail is not set up.', $outcome->getSentence());
        self::assertStringContainsString('mail-not-configured', $outcome->getDetail());
        $host = new FakeHost([FakeHost::problem(503, 'busy')]);
        $outcome = self::set(self::client($host->address, ['language' => 'es']));
        self::assertStringContainsString('ocupado', $outcome->getSentence());
    }

    public function testWhereNothingListensNothingWasSent(): void
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $address = 'http://' . stream_socket_get_name($socket, false);
        fclose($socket);
        self::assertRefused('unreachable', self::set(self::client($address)));
        self::assertRefused('unreachable', self::set(self::client('https://no-such-host.invalid')));
    }

    public function testAConnectionThatIsNeverMadeIsGivenUpInTimeAndNothingWasSent(): void
    {
        // A queue that is full: the kernel answers no more connections.
        $socket = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
        socket_bind($socket, '127.0.0.1', 0);
        socket_listen($socket, 0);
        socket_getsockname($socket, $host, $port);
        $held = [];
        for ($count = 0; $count < 8; $count++) {
            $held[] = @stream_socket_client("tcp://$host:$port", $code, $why, 0.2, STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT);
        }
        usleep(100000);
        $began = microtime(true);
        $outcome = self::set(self::client("http://$host:$port", ['connect-seconds' => 1, 'total-seconds' => 8]));
        self::assertLessThan(6, microtime(true) - $began);
        self::assertRefused('unreachable', $outcome);
    }

    /** @dataProvider slow */
    public function testAHostThatIsSlowIsGivenUpInTimeAndItMayHaveBeenDone(array $step): void
    {
        $host = new FakeHost([$step]);
        $began = microtime(true);
        $outcome = self::set(self::client($host->address));
        self::assertLessThan(8, microtime(true) - $began);
        self::assertOpen($outcome);
        self::assertStringContainsString(self::PASSWORD, $host->requests()[0], 'the host had it');
    }

    /** @return array<string, array{array<string, mixed>}> */
    public function slow(): array
    {
        $head = substr((string) base64_decode(FakeHost::changed()['send']), 0, 30);
        return [
            'silence' => [['wait' => 20] + FakeHost::changed()],
            'headers byte by byte' => [['slowly' => 0.2] + FakeHost::changed()],
            'a body byte by byte' => [['begin' => strpos((string) base64_decode(FakeHost::changed()['send']), '{'), 'slowly' => 0.2] + FakeHost::changed()],
            'a head without an end' => [['send' => base64_encode($head), 'slowly' => 0.15]],
        ];
    }

    public function testACertificateIsCheckedAndAnAuthorityOfOnesOwnIsASetting(): void
    {
        $authority = new Authority();
        $client = static function (string $certificate, array $more = []): Outcome {
            $host = new FakeHost([FakeHost::changed()], $certificate);
            $outcome = self::set(self::client($host->address, $more));
            self::assertCount($outcome->isDone() ? 1 : 0, $host->requests(), 'who is not trusted is told nothing');
            return $outcome;
        };
        $good = $authority->certificate('IP:127.0.0.1');
        self::assertRefused('untrusted', $client($good));
        self::assertTrue($client($good, ['ca-file' => $authority->caFile])->isDone());
        self::assertRefused('untrusted', $client($good, ['ca-file' => (new Authority())->caFile]));
        $another = $authority->certificate('DNS:panel.example');
        self::assertRefused('untrusted', $client($another, ['ca-file' => $authority->caFile]));
        $plain = new FakeHost([FakeHost::changed()]);
        self::assertRefused('unreachable', self::set(self::client(str_replace('http:', 'https:', $plain->address))));
    }

    public function testARequestIsSignedAndTheTokenStaysHere(): void
    {
        $host = new FakeHost([FakeHost::changed(), FakeHost::named(), FakeHost::changed()]);
        self::set(self::client($host->address));
        self::client($host->address)->accountsNamed('a b&c');
        self::set(self::client($host->address, ['sign' => false]));
        [$signed, $query, $borne] = $host->requests();
        self::assertStringNotContainsString(substr(self::TOKEN, 16), $signed . $query);
        self::assertStringContainsString('Authorization: Bearer ' . self::TOKEN, $borne);
        self::assertStringNotContainsString('Signature', $borne);
        self::assertStringContainsString('GET /v1/accounts?named=a%20b%26c HTTP/1.1', $query);

        // Made anew from what arrived, by the words of docs/hooks.md.
        preg_match('/^Signature-Input: sig=(.*)\r$/m', $signed, $input);
        preg_match('/^Signature: sig=:(.*):\r$/m', $signed, $signature);
        $body = explode("\r\n\r\n", $signed, 2)[1];
        $digest = 'sha-256=:' . base64_encode(hash('sha256', $body, true)) . ':';
        self::assertStringContainsString('Content-Digest: ' . $digest, $signed);
        self::assertMatchesRegularExpression('/^\("@method" "@path" "content-digest" "idempotency-key"\);created=[0-9]+;nonce="[0-9a-f]{32}";'
            . 'keyid="abcdefghijkl";alg="hmac-sha256"\z/', $input[1]);
        $base = "\"@method\": POST\n\"@path\": /v1/hooks/password/set-password\n\"content-digest\": $digest\n"
            . "\"idempotency-key\": key-1\n\"@signature-params\": $input[1]";
        $key = hash_hmac('sha256', 'keyturn request signing', self::TOKEN, true);
        self::assertSame(base64_encode(hash_hmac('sha256', $base, $key, true)), $signature[1]);
    }

    /** @dataProvider bytes */
    public function testAPasswordGoesByteForByte(string $password): void
    {
        $host = new FakeHost([FakeHost::changed()]);
        $arguments = ['account' => 'customer:1', 'new' => $password, 'must_change' => false];
        self::assertTrue(self::client($host->address)->call('password/set-password', $arguments, 'k')->isDone());
        self::assertSame($password, $host->bodies()[0]['new']);
    }

    /** @return array<int, array{string}> */
    public function bytes(): array
    {
        return [['&amp; & < > " \' # % + \\ /'], [' leading and trailing '], ["tab\tand\nlines\r\n"], ['€ ñ 🔑 漢字'], ["e\u{301} \u{e9}"],
            [str_repeat('0123456789', 40)], ["\u{2028}\u{feff}\u{200d}"], ['%00 \u0000 ${x} {{y}}'], ['0'], ['1e3'], ['true'], ['@file']];
    }

    public function testWhatJsonCannotHoldIsRefusedByNameAndNothingIsSent(): void
    {
        $host = new FakeHost([]);
        foreach (["latin1 \xe9" => 'not-utf-8', "cut \xe2\x82" => 'not-utf-8', "nul \0 in it" => 'nul'] as $password => $code) {
            $outcome = self::client($host->address)->call('password/set-password', ['account' => 'a:1', 'new' => $password], 'k');
            self::assertRefused($code, $outcome);
            self::assertStringContainsString('new', $outcome->getDetail());
        }
        self::assertSame([], $host->requests());
    }

    public function testWhatChangesSomethingNeedsAKeyAndOnlyKnownHooksAreCalled(): void
    {
        $host = new FakeHost([]);
        self::assertRefused('unknown-hook', self::client($host->address)->call('password/set-password', []));
        self::assertRefused('unknown-hook', self::client($host->address)->call('report/greet', [], 'k'));
        foreach (['', 'here', '192.0.2.7:80', "192.0.2.7\r\nX-Other: 1", '192.0.2.0/24'] as $address) {
            $status = self::client($host->address)->call('password/account-status', ['account' => 'customer:1'], null, $address);
            self::assertRefused('client-address', $status);
        }
        self::assertSame([], $host->requests());
    }

    public function testWhatOnlyAsksIsNeverIndeterminate(): void
    {
        $host = new FakeHost([['reset' => true], FakeHost::answer(200, '<html>', 'text/html'), FakeHost::problem(500, 'internal')]);
        foreach (['no-answer', 'bad-answer', 'internal'] as $code) {
            self::assertRefused($code, self::client($host->address)->call('password/account-status', ['account' => 'customer:1']));
        }
    }

    public function testAResetOfAnotherModeIsNotTheOneThatWasAskedFor(): void
    {
        $answer = ['mail' => 'm1', 'mode' => 'permanent', 'until' => null, 'sessions_ended' => null];
        $host = new FakeHost([FakeHost::answer(200, $answer), FakeHost::answer(200, ['mode' => 'link'] + $answer)]);
        $reset = static function () use ($host): Outcome {
            return self::client($host->address)->call('password/reset-and-mail', ['account' => 'customer:1', 'mode' => 'link'], 'key-1');
        };
        self::assertOpen($reset());
        self::assertTrue($reset()->isDone());
    }

    /** @dataProvider people */
    public function testANameMeansOneAccountOrNone(array $found, string $expected): void
    {
        $accounts = [];
        foreach ($found as [$account, $matched]) {
            $accounts[] = ['account' => $account, 'matched' => $matched];
        }
        $host = new FakeHost([FakeHost::answer(200, ['accounts' => $accounts])]);
        $outcome = self::client($host->address)->accountNamed('marta');
        self::assertSame($expected, $outcome->isDone() ? $outcome->getAnswer() : $outcome->getCode());
    }

    /** @return array<string, array{array<int, array{string, string}>, string}> */
    public function people(): array
    {
        return [
            'none' => [[], 'no-account'], 'a login' => [[['customer:1', 'login']], 'customer:1'],
            'an address' => [[['customer:1', 'email']], 'customer:1'],
            'a login outranks an address' => [[['customer:2', 'email'], ['customer:1', 'login']], 'customer:1'],
            'two addresses' => [[['customer:1', 'email'], ['customer:2', 'email']], 'ambiguous'],
            'two logins' => [[['customer:1', 'login'], ['reseller:1', 'login']], 'ambiguous'],
            'one twice' => [[['customer:1', 'login'], ['customer:1', 'email']], 'customer:1'],
            'matched by nothing known' => [[['customer:1', 'name']], 'bad-answer'], 'no id' => [[['1', 'login']], 'bad-answer'],
            'a path for an id' => [[["customer:1\n", 'login']], 'bad-answer'],
            'more than there can be' => [array_fill(0, 501, ['customer:1', 'login']), 'bad-answer'],
        ];
    }

    /** @dataProvider owners */
    public function testAnAccountIsAClientsOwnByItsAddressToTheLetterAndElseNothingIsTold(array $byEmail, array $byName, string $expected): void
    {
        $found = static function (array $found): array {
            $accounts = array_map(static fn (array $one): array => $one + ['account' => 'customer:1', 'matched' => 'email'], $found);
            return FakeHost::answer(200, ['accounts' => $accounts]);
        };
        $host = new FakeHost([$found($byEmail), $found($byName)]);
        $outcome = self::client($host->address)->accountNamedOf('marta', 'marta@vidal.example');
        self::assertSame($expected, $outcome->isDone() ? $outcome->getAnswer() : $outcome->getCode());
        self::assertCount(2, $host->requests(), 'nor by how long it takes');
    }

    /** @return array<string, array{array<int, array<string, mixed>>, array<int, array<string, mixed>>, string}> */
    public function owners(): array
    {
        $his = ['is_address' => true];
        $marta = ['matched' => 'login'];
        $two = [$marta, ['account' => 'reseller:1'] + $marta];
        $another = ['account' => 'customer:9', 'is_address' => true];
        return [
            'its address' => [[$his], [$marta], 'customer:1'],
            'its login, which is its address' => [[['matched' => 'login'] + $his], [$marta], 'customer:1'],
            'its login, which looks like one' => [[['matched' => 'login', 'is_address' => false]], [$marta], 'not-theirs'],
            'an address that is only taken for the same' => [[['is_address' => false]], [$marta], 'not-theirs'],
            'a host that does not say' => [[[]], [$marta], 'not-theirs'],
            'a host that says it otherwise' => [[['is_address' => null]], [$marta], 'not-theirs'],
            'another account' => [[$another], [$marta], 'not-theirs'],
            'nobody of that name' => [[$another], [], 'not-theirs'],
            'two of that name, of which none is his' => [[$another], $two, 'not-theirs'],
            'two of that name, of which one is his' => [[$his], $two, 'ambiguous'],
            'his, and a login that outranks it' => [[$his], [['account' => 'customer:2'] + $marta, $his], 'not-theirs'],
        ];
    }

    public function testWithoutAnAddressNothingIsAskedAndNothingFound(): void
    {
        $host = new FakeHost([]);
        self::assertRefused('not-theirs', self::client($host->address)->accountNamedOf('marta', ' '));
        self::assertSame([], $host->requests());
    }

    public function testWhatAProxySaysOfTheHostBehindItIsThatItCannotBeReached(): void
    {
        $html = static fn (int $status): array => FakeHost::answer($status, '<h1>nginx</h1>', 'text/html');
        $host = new FakeHost([$html(502), $html(503), $html(504), $html(500)]);
        foreach (['unreachable', 'unreachable', 'unreachable', 'bad-answer'] as $code) {
            self::assertRefused($code, self::client($host->address)->accountsNamed('marta'));
        }
    }

    public function testWhatWasBegunTogetherHasOneTime(): void
    {
        $slowly = static fn (array $step): array => ['wait' => 1.3] + $step;
        $host = new FakeHost([$slowly(FakeHost::named()), $slowly(FakeHost::named()), $slowly(FakeHost::changed()), FakeHost::named()]);
        $client = self::client($host->address);
        $client->begin();
        $began = microtime(true);
        self::assertTrue($client->accountsNamed('marta')->isDone());
        self::assertRefused('no-answer', $client->accountsNamed('marta'));
        self::assertRefused('no-answer', self::set($client));
        self::assertLessThan(2.6, microtime(true) - $began, 'two seconds, all in all');
        self::assertCount(2, $host->requests(), 'what would be cut off at once is not begun');
    }

    public function testAResetThatThePanelDoesNotOfferIsSaidToBeASettingOfTheModule(): void
    {
        $refused = FakeHost::problem(422, 'refused', ['reason' => 'mode-not-offered', 'detail' => 'The setting reset-modes says which are.']);
        $host = new FakeHost([$refused]);
        $outcome = self::client($host->address)->call('password/reset-and-mail', ['account' => 'customer:1', 'mode' => 'temporary'], 'k');
        self::assertRefused('refused', $outcome);
        self::assertStringContainsString('set “Reset & mail password sends” to link', $outcome->getSentence());
        self::assertStringContainsString('mode-not-offered', $outcome->getDetail());
    }

    public function testAHostWithoutTheAddressesIsSaidToBeSo(): void
    {
        $host = new FakeHost(array_fill(0, 3, FakeHost::problem(404, 'no-such-address')));
        $client = self::client($host->address);
        foreach ([$client->accountNamed('marta'), $client->mail('m1'), $client->epoch('customer:1')] as $outcome) {
            self::assertRefused('no-such-address', $outcome);
        }
        self::assertStringContainsString('GET /v1/accounts/customer%3A1/epoch ', $host->requests()[2]);
    }

    public function testAnotherMailThanTheOneAskedForIsNotIt(): void
    {
        $mail = ['mail' => 'm1', 'account' => 'customer:1', 'state' => 'accepted', 'to' => 'a@b.example', 'attempts' => 1,
            'answer' => '250 ok', 'server' => 'mx', 'changed_at' => 1, 'next_attempt' => null, 'sentence' => 'Mailed.'];
        $host = new FakeHost([FakeHost::answer(200, $mail), FakeHost::answer(200, $mail), FakeHost::answer(200, ['state' => 'lost'] + $mail)]);
        self::assertTrue(self::client($host->address)->mail('m1')->isDone());
        self::assertRefused('bad-answer', self::client($host->address)->mail('m2'));
        self::assertRefused('bad-answer', self::client($host->address)->mail('m1'));
    }

    public function testAnOutcomeThatIsPrintedHoldsNoAnswerAndNothingThatWasSent(): void
    {
        $link = ['link' => 'https://panel.example/choose/secret-of-the-link', 'until' => 5];
        $host = new FakeHost([FakeHost::answer(200, $link)]);
        $outcome = self::client($host->address)->call('password/make-link', ['account' => 'customer:1'], 'k');
        self::assertTrue($outcome->isDone());
        self::assertStringNotContainsString('secret-of-the-link', print_r($outcome, true) . json_encode($outcome->forLog()));
    }

    public function testWhoSendsElsewhereIsNotFollowed(): void
    {
        foreach ([302, 307, 308] as $status) {
            $elsewhere = new FakeHost([FakeHost::changed()]);
            $to = ['Location' => $elsewhere->address . '/v1/hooks/password/set-password'];
            $host = new FakeHost([FakeHost::answer($status, '', 'text/html', $to)]);
            self::assertOpen(self::set(self::client($host->address)));
            self::assertSame([], $elsewhere->requests());
        }
    }

    public function testAProxyOfTheEnvironmentIsNotAsked(): void
    {
        $proxy = new FakeHost([FakeHost::changed()]);
        $host = new FakeHost([FakeHost::changed()]);
        putenv('http_proxy=' . $proxy->address);
        putenv('ALL_PROXY=' . $proxy->address);
        try {
            self::assertTrue(self::set(self::client($host->address))->isDone());
        } finally {
            putenv('http_proxy');
            putenv('ALL_PROXY');
        }
        self::assertSame([], $proxy->requests());
        self::assertCount(1, $host->requests());
    }
}
