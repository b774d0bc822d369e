<?php

declare(strict_types=1);

use Keyturn\Client\Client;
use PHPUnit\Framework\TestCase;

/**
 * The client against the running host.
 *
 * @group host
 */
final class ClientOnHostTest extends TestCase
{
    /** @dataProvider ways */
    public function testEachHookIsAnsweredInTheFormThatIsCheckedFor(bool $sign): void
    {
        $client = Host::client(['sign' => $sign]);
        $account = $client->accountNamed('lena');
        self::assertTrue($account->isDone(), print_r($account, true));
        $account = $account->getAnswer();
        self::assertSame('customer:3', $account);
        $before = $client->epoch($account);
        self::assertTrue($before->isDone(), print_r($before, true));
        $password = 'copper lantern ' . bin2hex(random_bytes(6));
        $calls = [
            'password/set-password' => ['account' => $account, 'new' => $password, 'must_change' => false],
            'password/account-status' => ['account' => $account],
            'password/check-password' => ['password' => $password, 'account' => $account],
            'password/verify' => ['login_or_email' => 'lena', 'password' => $password],
            'password/make-link' => ['account' => $account],
            'password/reset-and-mail' => ['account' => $account, 'mode' => 'link'],
        ];
        foreach ($calls as $hook => $arguments) {
            $outcomes[$hook] = $client->call($hook, $arguments, Client::newKey(), '2001:db8::7');
            self::assertTrue($outcomes[$hook]->isDone(), $hook . print_r($outcomes[$hook], true));
            self::assertMatchesRegularExpression('/^[0-9a-z]{16}\z/', $outcomes[$hook]->getRequest());
        }
        self::assertNotSame($before->getAnswer(), $client->epoch($account)->getAnswer(), 'sessions are to end');
        $mail = $client->mail($outcomes['password/reset-and-mail']->getAnswer()['mail']);
        self::assertTrue($mail->isDone(), print_r($mail, true));
        self::assertSame([$account, 'office@shared.example'], [$mail->getAnswer()['account'], $mail->getAnswer()['to']]);
        self::assertNotSame('', $mail->getAnswer()['sentence']);
    }

    /** @return array<string, array{bool}> */
    public function ways(): array
    {
        return ['signed' => [true], 'borne' => [false]];
    }

    public function testOneKeyIsOneDeed(): void
    {
        $client = Host::client();
        $key = Client::newKey();
        self::assertSame('not_done', $client->operation($key)->getAnswer()['state']);
        $link = static function (string $account) use ($client, $key) {
            return $client->call('password/make-link', ['account' => $account], $key);
        };
        $first = $link('customer:4');
        self::assertTrue($first->isDone(), print_r($first, true));
        self::assertSame($first->getAnswer(), $link('customer:4')->getAnswer());
        self::assertSame('key-reused', $link('customer:3')->getCode());
        $operation = $client->operation($key)->getAnswer();
        self::assertSame(['done', 'password/make-link', $first->getAnswer()], array_values($operation));
    }

    public function testTheHostsProblemsAreReadAsWhatTheyAre(): void
    {
        $client = Host::client();
        $call = static function (string $hook, array $arguments) use ($client): string {
            $outcome = $client->call($hook, $arguments, Client::newKey());
            self::assertTrue($outcome->isRefused(), print_r($outcome, true));
            return $outcome->getCode();
        };
        self::assertSame('not-found', $call('password/account-status', ['account' => 'customer:77']));
        self::assertSame('not-found', $call('password/account-status', ['account' => 'reseller:7']));
        self::assertSame('arguments', $call('password/account-status', ['whom' => 'customer:1']));
        self::assertSame('invalid', $call('password/set-password', ['account' => 'customer:4', 'new' => 'x', 'must_change' => false]));
        self::assertSame('refused', $call('password/reset-and-mail', ['account' => 'customer:5', 'mode' => 'link']));
        $long = ['account' => 'customer:4', 'new' => str_repeat('lantern ', 40000), 'must_change' => false];
        self::assertSame('too-large', $call('password/set-password', $long));
        self::assertSame('not-found', $client->mail('no-such-mail')->getCode());
        self::assertSame('not-found', $client->epoch('customer:77')->getCode());
        self::assertSame('no-account', $client->accountNamed('nobody at all')->getCode());
    }
}
