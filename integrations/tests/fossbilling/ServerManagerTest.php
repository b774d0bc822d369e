<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

final class ServerManagerTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const PASSWORD = 'Küche & <Lampe> "9" %+/ oats';

    private FossbillingLog $log;

    public static function setUpBeforeClass(): void
    {
        require_once dirname(__DIR__) . '/support/Fossbilling.php';
        if (!defined('PATH_DATA')) {
            define('PATH_DATA', Packed::folder('fossbilling') . '/data');
        }
        require_once Packed::folder('fossbilling') . '/library/Server/Manager/Keyturn.php';
    }

    protected function setUp(): void
    {
        $this->log = new FossbillingLog();
    }

    private function manager(string $address, string $token = self::TOKEN): Server_Manager_Keyturn
    {
        $parts = parse_url($address);
        $manager = new Server_Manager_Keyturn(['ip' => '192.0.2.1', 'host' => $parts['host'], 'port' => $parts['port'] ?? null,
            'secure' => $parts['scheme'] === 'https', 'accesshash' => $token, 'config' => [], 'passwordLength' => 20]);
        $manager->setLog($this->log);
        return $manager;
    }

    private static function account(string $username = 'marta', ?string $email = 'marta@vidal.example'): Server_Account
    {
        return (new Server_Account())->setUsername($username)->setClient((new Server_Client())->setEmail($email));
    }

    private function refused(callable $does): string
    {
        try {
            $does();
        } catch (Server_Exception $cause) {
            return $cause->getMessage() . $cause->getTraceAsString() . print_r($cause->getTrace()[0]['args'] ?? '', true);
        }
        self::fail('It was taken for done.');
    }

    public function testItIsTheOnlyFileThatFossbillingTakesForAManager(): void
    {
        $files = new RecursiveIteratorIterator(new RecursiveDirectoryIterator(Packed::folder('fossbilling') . '/library/Server', FilesystemIterator::SKIP_DOTS));
        self::assertSame(['Keyturn.php'], array_map('basename', array_keys(iterator_to_array($files))));
        self::assertSame('accesshash', Server_Manager_Keyturn::getForm()['form']['credentials']['fields'][0]['name']);
        self::assertTrue(Server_Manager_Keyturn::getForm()['form']['credentials']['fields'][0]['secret']);
        self::assertSame(['accesshash'], Server_Manager_Keyturn::getSecretFields());
    }

    public function testAPasswordIsChangedOrAnExceptionSaysThatItWasNot(): void
    {
        $nobody = FakeHost::answer(200, ['accounts' => []]);
        $host = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed()], FakeHost::own(), [['reset' => true]], FakeHost::own(),
            [FakeHost::changed(), FakeHost::epoch(), $nobody, $nobody]));
        $manager = $this->manager($host->address);
        self::assertTrue($manager->changeAccountPassword(self::account(), self::PASSWORD));
        self::assertSame(self::PASSWORD, $host->bodies()[2]['new']);
        $said = $this->refused(function () use ($manager): void {
            $manager->changeAccountPassword(self::account(), self::PASSWORD);
        });
        self::assertStringContainsString('may or may not', $said);
        // Another process tries again, with the same key.
        self::assertTrue($this->manager($host->address)->changeAccountPassword(self::account(), self::PASSWORD));
        self::assertSame($host->keys()[5], $host->keys()[8]);
        $said .= $this->refused(function () use ($manager): void {
            $manager->changeAccountPassword(self::account('nobody'), self::PASSWORD);
        });
        self::assertStringContainsString('No account', $said);
        Secrets::assertNone($said . implode("\n", $this->log->lines), self::PASSWORD, self::TOKEN);
        self::assertNotSame([], $this->log->lines);
    }

    public function testWhatItDoesNotDoIsAnException(): void
    {
        $manager = $this->manager('http://127.0.0.1:1');
        $package = new Server_Package();
        $calls = ['createAccount' => [], 'suspendAccount' => [], 'unsuspendAccount' => [], 'cancelAccount' => [],
            'changeAccountUsername' => ['x'], 'changeAccountDomain' => ['x'], 'changeAccountIp' => ['x'], 'changeAccountPackage' => [$package]];
        foreach ($calls as $method => $more) {
            $said = $this->refused(static function () use ($manager, $method, $more): void {
                $manager->$method(self::account(), ...$more);
            });
            self::assertStringContainsString('Keyturn does not support', $said);
        }
        self::assertStringContainsString('https://', $this->refused(function (): void {
            $this->manager('http://panel.example')->testConnection();
        }));
        self::assertStringContainsString('token', $this->refused(function (): void {
            $this->manager('http://127.0.0.1:1', '')->testConnection();
        }));
        $said = $this->refused(function (): void {
            $this->manager('http://127.0.0.1:1', '')->changeAccountPassword(self::account(), self::PASSWORD);
        });
        self::assertStringContainsString('not set up here', $said, 'clients are not told what is wrong');
        self::assertStringContainsString('The token must look', implode($this->log->lines));
        self::assertSame('https://panel.example:8443/', $this->manager('https://panel.example:8443')->getLoginUrl());
    }

    /** @group host */
    public function testOnTheHostAPasswordIsChangedAndSignsIn(): void
    {
        $manager = $this->manager(Host::address(), Host::token('fossbilling'));
        self::assertTrue($manager->testConnection());
        self::assertSame('pavel', $manager->synchronizeAccount(self::account('pavel'))->getUsername());
        $password = self::PASSWORD . bin2hex(random_bytes(4));
        self::assertTrue($manager->changeAccountPassword(self::account('pavel', 'office@shared.example'), $password));
        Host::assertSignsIn('pavel', $password);
        $said = $this->refused(static function () use ($manager): void {
            $manager->changeAccountPassword(self::account('pavel', 'office@shared.example'), 'short');
        });
        self::assertStringContainsString('characters', $said);
        $this->refused(static function () use ($manager): void {
            $manager->synchronizeAccount(self::account('nobody'));
        });
        // A user name that its client has chosen: it is another's.
        foreach (['marta@vidal.example', '', null] as $email) {
            $said = $this->refused(static function () use ($manager, $email): void {
                $manager->changeAccountPassword(self::account('pavel', $email), self::PASSWORD . ' stolen');
            });
            self::assertStringContainsString('No account in the panel has both', $said);
        }
        $this->refused(static function () use ($manager): void {
            $manager->changeAccountPassword((new Server_Account())->setUsername('pavel'), self::PASSWORD . ' stolen');
        });
        Host::assertSignsIn('pavel', $password);
    }
}
