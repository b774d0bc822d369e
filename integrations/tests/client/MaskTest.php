<?php

declare(strict_types=1);

use Keyturn\Client\Mask;
use PHPUnit\Framework\TestCase;

final class MaskTest extends TestCase
{
    private const SECRET = 'a&b <c> "d" \'e\' %+/ñ€';

    public function testWhatASecretsKeyHoldsIsMaskedAtAnyDepthInOneWidth(): void
    {
        $masked = Mask::of([
            'serviceid' => 42, 'username' => 'marta', 'Password' => 'x', 'server_password' => str_repeat('long', 40),
            'params' => ['serveraccesshash' => 'hash-hash', 'deep' => [['newPassword' => 'deep-deep'], ['API-Key' => 'key-key']]],
            'arguments' => ['new' => 'new-new', 'account' => 'customer:1'], 'idempotency-key' => 'kt-1', 'ok' => true, 'no' => null,
            'tokens' => ['one-one', ['two-two']],
        ]);
        self::assertSame([
            'serviceid' => '42', 'username' => 'marta', 'Password' => Mask::MASK, 'server_password' => Mask::MASK,
            'params' => ['serveraccesshash' => Mask::MASK, 'deep' => [['newPassword' => Mask::MASK], ['API-Key' => Mask::MASK]]],
            'arguments' => ['new' => Mask::MASK, 'account' => 'customer:1'], 'idempotency-key' => 'kt-1', 'ok' => true, 'no' => null,
            'tokens' => Mask::MASK,
        ], $masked);
    }

    /** @dataProvider forms */
    public function testTheSameValueIsFoundInOtherTextsHoweverItIsWritten(string $form): void
    {
        foreach (['', 'x', 'xy', 'xyz'] as $before) {
            $masked = Mask::of(['password' => self::SECRET, 'said' => $before . $form . ' after']);
            self::assertStringNotContainsString($form, $masked['said']);
            self::assertStringContainsString(Mask::MASK, $masked['said']);
        }
    }

    /** @return array<string, array{string}> */
    public function forms(): array
    {
        $html = htmlspecialchars(self::SECRET, ENT_QUOTES, 'UTF-8');
        return [
            'as it is' => [self::SECRET], 'url' => [urlencode(self::SECRET)], 'raw url' => [rawurlencode(self::SECRET)],
            'html' => [$html], 'html, compat' => [htmlspecialchars(self::SECRET, ENT_COMPAT, 'UTF-8')],
            'html, all' => [htmlentities(self::SECRET, ENT_QUOTES, 'UTF-8')], 'html in url' => [urlencode($html)],
            'base64' => [base64_encode(self::SECRET)], 'base64url' => [strtr(base64_encode(self::SECRET), '+/', '-_')],
            'hex' => [bin2hex(self::SECRET)], 'HEX' => [strtoupper(bin2hex(self::SECRET))],
            'json' => [substr(json_encode(self::SECRET), 1, -1)], 'json, plain' => [substr(json_encode(self::SECRET, 320), 1, -1)],
            'slashes' => [addslashes(self::SECRET)],
        ];
    }

    public function testItIsFoundWithinLongerBase64WhereverItBegins(): void
    {
        foreach (['', 'a', 'ab', 'abc', 'user:'] as $before) {
            foreach (['', 'z', 'zz'] as $after) {
                $masked = Mask::of(['said' => 'Basic ' . base64_encode($before . self::SECRET . $after)], [self::SECRET]);
                self::assertStringContainsString(Mask::MASK, $masked['said'], "{$before}…{$after}");
                $left = (string) base64_decode(str_replace(['Basic ', Mask::MASK], '', $masked['said']));
                self::assertStringNotContainsString(substr(self::SECRET, 4, 8), $left);
            }
        }
    }

    public function testAValueThatIsAlreadyHtmlIsFoundAsWhatItStandsFor(): void
    {
        $masked = Mask::of(['password' => 'fish &amp; chips forever', 'said' => 'sent fish & chips forever']);
        self::assertSame('sent ' . Mask::MASK, $masked['said']);
    }

    public function testAShortSecretMasksAllOfATextThatHoldsIt(): void
    {
        self::assertSame(Mask::MASK, Mask::of(['password' => 'abc', 'said' => 'set to abc'])['said']);
        self::assertSame('set', Mask::of(['password' => 'abc', 'said' => 'set'])['said']);
    }

    public function testASecretAsAKeyAndAnObjectAreNotShown(): void
    {
        $object = new stdClass();
        $object->password = self::SECRET;
        $masked = Mask::of([self::SECRET . ' is it' => 1, 'model' => $object], [self::SECRET]);
        self::assertStringNotContainsString('<c>', print_r($masked, true));
        self::assertSame('(object)', $masked['model']);
    }
}
