<?php

declare(strict_types=1);

use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Settings;
use PHPUnit\Framework\TestCase;

final class SettingsTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';

    /** @param array<string, mixed> $more */
    private static function settings(array $more): Settings
    {
        return new Settings($more + ['address' => 'https://panel.example', 'token' => self::TOKEN]);
    }

    public function testWhatIsNotSaidIsSafe(): void
    {
        $settings = self::settings([]);
        self::assertTrue($settings->signs());
        self::assertSame([5, 10], [$settings->getConnectSeconds(), $settings->getTotalSeconds()]);
        self::assertNull($settings->getCaFile());
        self::assertSame(30, self::settings(['total-seconds' => '30'])->getTotalSeconds());
        self::assertSame([3, 3], [self::settings([])->within(3)->getConnectSeconds(), self::settings([])->within(3)->getTotalSeconds()]);
    }

    /** @dataProvider addresses */
    public function testPasswordsGoOverHttpToThisMachineOnly(string $address, bool $isGood): void
    {
        if (!$isGood) {
            $this->expectException(InvalidSettings::class);
        }
        self::assertSame($address, self::settings(['address' => $address])->getAddress());
    }

    /** @return array<int, array{string, bool}> */
    public function addresses(): array
    {
        return [
            ['https://panel.example', true], ['https://panel.example:8443', true], ['https://[2001:db8::1]:8443', true],
            ['http://127.0.0.1:8089', true], ['http://localhost:8089', true], ['http://[::1]:8089', true],
            ['http://panel.example', false], ['http://127.0.0.1.evil.example', false], ['http://192.0.2.1', false],
            ['http://localhost.evil.example', false], ['http://127.1', false], ['http://localhost@evil.example', false],
            ['https://', false], ['https:// ', false], ['', false], ['panel.example', false], ['ftp://panel.example', false],
            ['https://panel.example/path', false], ['https://user@panel.example', false], ['https://panel.example:0', false],
            ['https://panel.example:65536', false], ["https://panel.example\r\nX: y", false], ['file:///etc/passwd', false],
        ];
    }

    public function testThereIsNoSettingThatTurnsTheCheckOfCertificatesOff(): void
    {
        foreach (['verify', 'tls-verify', 'insecure', 'ssl-verify'] as $name) {
            self::assertEquals(self::settings([]), self::settings([$name => false]));
        }
    }

    /** @dataProvider wrong */
    public function testWhatIsWrongIsNamedAndItsValueNotShown(string $name, $value, string $word): void
    {
        try {
            self::settings([$name => $value]);
            self::fail('It was taken.');
        } catch (InvalidSettings $cause) {
            self::assertStringContainsString($word, $cause->getMessage());
            if ($name === 'token' && is_string($value) && $value !== '') {
                self::assertStringNotContainsString($value, $cause->getMessage() . $cause->getTraceAsString());
                self::assertStringNotContainsString(substr($value, 0, 12), print_r($cause->getTrace()[0], true));
            }
        }
    }

    /** @return array<int, array{string, mixed, string}> */
    public function wrong(): array
    {
        return [
            ['token', '', 'token'], ['token', strtoupper(self::TOKEN), 'token'], ['token', self::TOKEN . 'a', 'token'],
            ['token', 'kt_abcdefghijkl_short-secret', 'token'], ['token', null, 'token'], ['token', ['a'], 'token'],
            ['ca-file', '/no/such/file', 'ca-file'], ['total-seconds', 31, 'total-seconds'], ['total-seconds', 0, 'total-seconds'],
            ['connect-seconds', 'soon', 'connect-seconds'],
        ];
    }

    public function testSettingsThatArePrintedDoNotShowTheToken(): void
    {
        self::assertStringNotContainsString(substr(self::TOKEN, 16), print_r(self::settings([]), true));
    }
}
