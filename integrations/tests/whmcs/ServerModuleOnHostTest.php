<?php

declare(strict_types=1);

use Keyturn\Client\Client;
use PHPUnit\Framework\TestCase;

/**
 * The server module against the running host: what it says is held against what the host then lets in.
 *
 * @group host
 */
final class ServerModuleOnHostTest extends TestCase
{
    private WhmcsModel $model;

    protected function setUp(): void
    {
        Whmcs::reset();
        $this->model = new WhmcsModel();
    }

    /** @return array<string, mixed> */
    private function params(array $more = [], ?string $address = null): array
    {
        $parts = parse_url($address ?? Host::address());
        return $more + [
            'serviceid' => 42, 'username' => 'marta', 'password' => 'copper lantern oats', 'serverhostname' => $parts['host'],
            'serverport' => $parts['port'], 'serversecure' => false, 'serverpassword' => Host::token('whmcs'), 'configoption1' => '',
            'configoption2' => 'temporary', 'customfields' => [], 'clientsdetails' => ['language' => '', 'email' => 'marta@vidal.example'], 'model' => $this->model,
        ];
    }

    /** @dataProvider passwords */
    public function testAPasswordArrivesByteForByte(string $password): void
    {
        self::assertSame('success', keyturn_ChangePassword($this->params(['password' => $password])));
        Host::assertSignsIn('marta', $password);
        foreach ([trim($password), html_entity_decode($password, ENT_QUOTES), urldecode($password), stripslashes($password),
            substr($password, 0, 72), htmlspecialchars($password, ENT_QUOTES)] as $mangled) {
            if ($mangled !== $password && mb_check_encoding($mangled, 'UTF-8')) {
                self::assertSame('rejected', Host::verdict('marta', $mangled));
            }
        }
        Secrets::assertNone(Whmcs::logged(), trim($password), Host::token('whmcs'));
    }

    /** @return array<string, array{string}> */
    public function passwords(): array
    {
        return Host::passwords();
    }

    public function testWhatCannotBeAPasswordIsRefusedAndTheOldOneStays(): void
    {
        self::assertSame('success', keyturn_ChangePassword($this->params(['password' => 'thimble orchard granite'])));
        foreach (["nul \0 copper lantern" => 'NUL', "latin1 \xe9 copper lantern" => 'UTF-8', 'short' => 'characters',
            'password1234567' => 'password', '' => 'new password is empty'] as $password => $word) {
            $text = keyturn_ChangePassword($this->params(['password' => (string) $password]));
            self::assertStringContainsString($word, $text);
        }
        $spanish = keyturn_ChangePassword($this->params(['password' => 'short', 'clientsdetails' => ['language' => 'spanish', 'email' => 'marta@vidal.example']]));
        self::assertStringContainsString('caracteres', $spanish);
        Host::assertSignsIn('marta', 'thimble orchard granite');
    }

    public function testAnAnswerThatIsLostAfterItWasDoneIsSettledByItsKey(): void
    {
        $lost = ['forward' => Host::socket(), 'reset' => true];
        $relayed = ['forward' => Host::socket(), 'relay' => true];
        $between = new FakeHost([$relayed, $relayed, $lost, $relayed, $relayed, $relayed, $relayed, $relayed, $lost, $relayed, $relayed, $relayed, $relayed,
            $relayed, $relayed, $lost, $relayed, $relayed, $relayed, $relayed, $relayed]);
        $params = $this->params(['password' => 'velvet compass harbour'], $between->address);
        self::assertStringContainsString('may or may not', keyturn_ChangePassword($params));
        Host::assertSignsIn('marta', 'velvet compass harbour');
        self::assertSame('success', keyturn_Settle($params), 'a look at the operation');
        self::assertSame('', $this->model->serviceProperties->get('Keyturn operations'));

        $params['password'] = 'saffron pebble harbour';
        self::assertStringContainsString('may or may not', keyturn_ChangePassword($params));
        self::assertSame('success', keyturn_ChangePassword($params), 'a retry, though the password is now the one that there is');
        $keys = $between->keys();
        self::assertSame($keys[8], $keys[11]);
        Host::assertSignsIn('marta', 'saffron pebble harbour');

        $params['password'] = 'granite orchard thimble';
        self::assertStringContainsString('may or may not', keyturn_ChangePassword($params));
        $account = ['account' => 'customer:1', 'new' => 'set by somebody else', 'must_change' => false];
        self::assertTrue(Host::client()->call('password/set-password', $account, Client::newKey())->isDone());
        self::assertSame('success', keyturn_ChangePassword($params));
        Host::assertSignsIn('marta', 'granite orchard thimble');
        self::assertSame('rejected', Host::verdict('marta', 'set by somebody else'));
    }

    public function testOfAMailThatWentItIsNotSaidThatItsLinkStillWorks(): void
    {
        $lost = ['forward' => Host::socket(), 'reset' => true];
        $relayed = ['forward' => Host::socket(), 'relay' => true];
        $between = new FakeHost([$relayed, $lost, $relayed, $relayed, $relayed, $relayed]);
        $params = $this->params(['username' => 'lena'], $between->address);
        self::assertStringContainsString('may or may not', keyturn_SendLink($params));
        self::assertStringContainsString('at the first attempt', keyturn_SendLink($params));
        self::assertSame('success', keyturn_SendLink($params));
    }

    public function testAHostThatIsTooSlowIsNotTakenForSuccessAndAnotherPasswordThenIsADeedOfItsOwn(): void
    {
        $relayed = ['forward' => Host::socket(), 'relay' => true];
        $slow = ['forward' => Host::socket(), 'wait' => 20];
        $between = new FakeHost([$relayed, $relayed, $slow, $relayed, $relayed, $relayed, $relayed]);
        $local = Packed::folder('whmcs') . '/modules/servers/keyturn/local.php';
        file_put_contents($local, '<?php return ["total-seconds" => 2];');
        try {
            $params = $this->params(['password' => 'orchard thimble saffron'], $between->address);
            $began = microtime(true);
            self::assertStringContainsString('may or may not', keyturn_ChangePassword($params));
            self::assertLessThan(8, microtime(true) - $began);
            self::assertSame('success', keyturn_ChangePassword(['password' => 'granite pebble lantern'] + $params));
        } finally {
            unlink($local);
        }
        [, , $first, , , $second, $third] = $between->keys();
        self::assertSame($first, $second);
        self::assertNotSame($second, $third);
        Host::assertSignsIn('marta', 'granite pebble lantern');
        self::assertSame('rejected', Host::verdict('marta', 'orchard thimble saffron'));
    }

    public function testAUserNameMeansOneAccountOrNothingIsDone(): void
    {
        foreach ([
            ['lena', 'OFFICE@shared.example', 'success'],
            ['omar@haddad.example', 'other@haddad.example', 'success'],
            ['other@haddad.example', 'other@haddad.example', 'success'],
            ['office@shared.example', 'office@shared.example', 'More than one'],
            ['lena', 'marta@vidal.example', 'No account'],
            ['omar@haddad.example', 'omar@haddad.example', 'No account'],
            ['nomail', '', 'No account'],
            ['rita', 'rita@reseller.example', 'No account'],
            ['nobody', 'marta@vidal.example', 'No account'],
            ['', 'marta@vidal.example', 'no user name'],
        ] as [$name, $email, $said]) {
            $password = 'copper lantern ' . bin2hex(random_bytes(6));
            $client = ['language' => '', 'email' => $email];
            $text = keyturn_ChangePassword($this->params(['username' => $name, 'password' => $password, 'clientsdetails' => $client]));
            self::assertStringContainsString($said, $text, "“{$name}” of {$email}");
            if ($said === 'success') {
                Host::assertSignsIn($name, $password);
            }
        }
        // A login outranks an address: it was not omar, whose address this is.
        self::assertSame('customer:6', Host::client()->accountNamed('omar@haddad.example')->getAnswer());
        $field = ['pid' => 3, 'configoption1' => 'Panel account'];
        Whmcs::field('Panel account', 'customer:77');
        self::assertStringContainsString('not in the panel', keyturn_ChangePassword($this->params($field)));
    }

    public function testAPasswordIsMailedAndWhatBecameOfItIsShown(): void
    {
        self::assertSame('success', keyturn_ResetAndMail($this->params(['username' => 'omar'])));
        $fields = $this->fieldsOnceMailed('omar');
        self::assertStringContainsString('A temporary password works until', $fields['Password']);
        self::assertStringContainsString('omar@haddad.example', $fields['Last email (times in UTC)']);
        self::assertSame('success', keyturn_SendLink($this->params(['username' => 'omar'])));
        self::assertStringContainsString('no email address', keyturn_ResetAndMail($this->params(['username' => 'nomail'])));
        $permanent = keyturn_ResetAndMail($this->params(['username' => 'omar', 'configoption2' => 'permanent']));
        self::assertStringContainsString('does not offer this kind of reset', $permanent);
        self::assertStringNotContainsString('success', $permanent);
    }

    /** @return array<string, string> */
    private function fieldsOnceMailed(string $username): array
    {
        for ($until = microtime(true) + 30; microtime(true) < $until; usleep(100000)) {
            $fields = keyturn_AdminServicesTabFields($this->params(['username' => $username]));
            self::assertArrayHasKey('Last email (times in UTC)', $fields, print_r($fields, true));
            if (strpos($fields['Last email (times in UTC)'], 'queue') === false && strpos($fields['Last email (times in UTC)'], 'Being sent') === false) {
                return $fields;
            }
        }
        self::fail('The mail stayed in the queue: ' . print_r($fields, true));
    }

    public function testTheConnectionIsTestedWithTheKey(): void
    {
        self::assertSame(['success' => true, 'error' => ''], keyturn_TestConnection($this->params()));
        $wrong = substr(Host::token('whmcs'), 0, -4) . 'aaaa';
        $answer = keyturn_TestConnection($this->params(['serverpassword' => $wrong]));
        self::assertFalse($answer['success']);
        self::assertStringContainsString('did not let this request in', $answer['error']);
        Secrets::assertNone($answer['error'], $wrong);
    }
}
