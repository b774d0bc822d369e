<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

require_once dirname(__DIR__, 2) . '/php-views/KeyturnViews.php';

/** Where a form with passwords in it goes, how long it is waited for, and what a trace shows of it. */
final class KeyturnViewsTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const FORM = 'kt=1&new=velvet+compass+harbour';

    private static function views(string $host): KeyturnViews
    {
        return (new KeyturnViews($host, self::TOKEN, 'https://passwords.example'))
            ->forReader('staff:1', ['customer' => 'all'], 'secret-of-the-session', null, 'en', null);
    }

    public function testAProxyOfTheEnvironmentIsNotAsked(): void
    {
        $proxy = new FakeHost([FakeHost::answer(200, ['kind' => 'done'])]);
        $host = new FakeHost([FakeHost::answer(200, ['kind' => 'again'])]);
        foreach (['http_proxy', 'all_proxy'] as $name) {
            putenv($name . '=' . $proxy->address);
        }
        try {
            $answer = self::views($host->address)->submit(self::FORM, '/customer.php');
        } finally {
            foreach (['http_proxy', 'all_proxy'] as $name) {
                putenv($name);
            }
        }
        self::assertSame([], $proxy->requests());
        self::assertSame('again', $answer['kind']);
        self::assertStringContainsString(self::FORM, $host->requests()[0]);
    }

    /** @dataProvider elsewhere */
    public function testAFormGoesOverHttpToThisMachineOnly(string $host): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('$host must');
        self::views($host);
    }

    /** @return array<int, array{string}> */
    public function elsewhere(): array
    {
        return [['http://panel.example'], ['http://127.evil.example:8089'], ['http://10.0.0.1:8089'], ['HTTP://panel.example'],
            ['http://[fe80::1]:8089'], ['http://localhost.evil.example'], ['http://127.0.0.1@evil.example'], ['ftp://127.0.0.1'],
            ['127.0.0.1:8089'], [''], ["http://127.0.0.1\n"]];
    }

    public function testThisMachineAndHttpsElsewhereAreTaken(): void
    {
        foreach (['http://127.0.0.1:8089', 'http://127.1.2.3/', 'http://[::1]:8089', 'http://LOCALHOST', 'https://panel.example:8443'] as $host) {
            self::assertInstanceOf(KeyturnViews::class, self::views($host));
        }
    }

    public function testAFormIsWaitedForAsLongAsItsTestMailMayTakeAndAPageIsNot(): void
    {
        $host = new FakeHost([['wait' => 11] + FakeHost::answer(200, ['kind' => 'again'])]);
        self::assertSame('again', self::views($host->address)->submit(self::FORM, '/')['kind']);
        $host = new FakeHost([['wait' => 11] + FakeHost::answer(200, ['kind' => 'again'])]);
        self::assertSame('again', self::views($host->address)->held('held', '/')['kind']);
        $host = new FakeHost([['wait' => 11] + FakeHost::answer(200, ['html' => '', 'summary' => ''])]);
        try {
            self::views($host->address)->slot('customer.sections', 'customer:1', '/');
            self::fail('A page waited for more than ten seconds.');
        } catch (KeyturnProblem $problem) {
            self::assertSame([0, 'unreachable'], [$problem->status, $problem->problem]);
        }
    }

    /** @requires PHP >= 8.2 */
    public function testATraceShowsNothingOfTokenFormOrSession(): void
    {
        $secret = 'velvet compass harbour';
        $views = self::views('http://127.0.0.1:1');
        foreach ([
            static function () use ($views, $secret): void {
                $views->submit($secret, '/');
            },
            static function () use ($views, $secret): void {
                $views->held($secret, '/');
            },
            static function () use ($views, $secret): void {
                $views->slot('customer.sections', null, '/', $secret);
            },
            static function () use ($views, $secret): void {
                $views->page('kt-page=x', '/', $secret);
            },
            static function () use ($secret): void {
                new KeyturnViews('http://127.0.0.1', $secret, '');
            },
            static function () use ($secret): void {
                (new KeyturnViews('http://127.0.0.1', self::TOKEN, ''))->forReader(null, [], $secret, null, "\xff", null);
            },
        ] as $call) {
            try {
                $call();
                self::fail('Nothing was thrown.');
            } catch (KeyturnProblem | InvalidArgumentException | JsonException $thrown) {
                foreach ($thrown->getTrace() as $frame) {
                    if (($frame['class'] ?? '') === KeyturnViews::class) {
                        Secrets::assertNone(print_r($frame['args'], true), $secret, self::TOKEN);
                    }
                }
            }
        }
    }

    public function testAClientsAddressIsNeverAProxys(): void
    {
        $ours = ['127.0.0.1', '::1', '10.0.0.2'];
        foreach ([
            ['198.51.100.9', '203.0.113.1', '198.51.100.9'],
            ['127.0.0.1', '203.0.113.1', '203.0.113.1'],
            ['::ffff:127.0.0.1', "caf\xe9, 203.0.113.1", '203.0.113.1'],
            ['::1', '192.0.2.66, 203.0.113.1, 10.0.0.2', '203.0.113.1'],
            ['127.0.0.1', '203.0.113.1:4711', '203.0.113.1'],
            ['127.0.0.1', '[2001:db8::7]:4711', '2001:db8::7'],
            ['127.0.0.1', 'fe80::7%eth0', 'fe80::7'],
            ['127.0.0.1', '::ffff:203.0.113.1', '203.0.113.1'],
            ['127.0.0.1', "203.0.113.1, caf\xe9", null],
            ['127.0.0.1', '203.0.113.1, unknown', null],
            ['127.0.0.1', '203.0.113.1, _hidden', null],
            ['127.0.0.1', '203.0.113.1,', null],
            ['127.0.0.1', '10.0.0.2', null],
            ['127.0.0.1', null, null],
            ['unix:', '203.0.113.1', null],
        ] as [$peer, $said, $client]) {
            $server = ['REMOTE_ADDR' => $peer] + ($said === null ? [] : ['HTTP_X_FORWARDED_FOR' => $said]);
            self::assertSame($client, KeyturnViews::clientAddress($server, $ours), "$peer, $said");
        }
        self::assertNull(KeyturnViews::clientAddress([]));
    }

    public function testWhatCannotBeReadIsSaidToBeNoAddress(): void
    {
        foreach (['fe80::7%eth0' => 'fe80::7', 'unix:' => null, '' => null] as $given => $said) {
            $host = new FakeHost([FakeHost::answer(200, ['html' => ''])]);
            $views = (new KeyturnViews($host->address, self::TOKEN, 'https://passwords.example'))
                ->forReader(null, [], 'secret-of-the-session', null, 'en', (string) $given);
            $views->notice('kept');
            self::assertSame(1, preg_match('/^keyturn-on-behalf: (\S+)/im', $host->requests()[0], $match));
            self::assertSame($said, json_decode((string) base64_decode($match[1]), true)['address']);
        }
    }
}
