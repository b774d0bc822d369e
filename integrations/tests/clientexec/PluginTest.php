<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

final class PluginTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const PASSWORD = 'Küche & <Lampe> "9" %+/ oats';

    public static function setUpBeforeClass(): void
    {
        set_include_path(get_include_path() . PATH_SEPARATOR . __DIR__ . '/stand-in');
        require_once Packed::folder('clientexec') . '/plugins/server/keyturn/PluginKeyturn.php';
    }

    /** @return array<string, mixed> */
    private static function args(string $address, array $more = [], string $token = self::TOKEN, string $username = 'marta'): array
    {
        $email = $username === 'pavel' ? 'office@shared.example' : 'marta@vidal.example';
        return $more + ['userPackageId' => 5, 'package' => ['id' => 5, 'username' => $username], 'customer' => ['email' => $email], 'server' => ['variables' => [
            'plugin_keyturn_Address' => $address, 'plugin_keyturn_Token' => $token, 'plugin_keyturn_CA_File' => '',
            'plugin_keyturn_Seconds' => '5', 'plugin_keyturn_Operations_Folder' => Packed::folder('clientexec') . '/operations']]];
    }

    private function refused(callable $does): string
    {
        try {
            $does();
        } catch (CE_Exception $cause) {
            $said = $cause->getMessage() . implode("\n", CE_Lib::$log);
            Secrets::assertNone($said, self::PASSWORD, self::TOKEN);
            return $cause->getMessage();
        }
        self::fail('It was taken for done.');
    }

    public function testTheSettingsAreOfTheFormThatClientexecReads(): void
    {
        $variables = (new PluginKeyturn())->getVariables();
        self::assertTrue($variables['Token']['encryptable']);
        foreach (explode(',', $variables['Actions']['value']) as $action) {
            self::assertTrue(method_exists('PluginKeyturn', 'do' . $action), $action);
        }
        self::assertSame('Keyturn', $variables['Name']['value']);
    }

    public function testAPasswordIsChangedOrAnExceptionSaysThatItWasNot(): void
    {
        $host = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed()], FakeHost::own(), [['reset' => true]], FakeHost::own(),
            [FakeHost::changed(), FakeHost::epoch()]));
        $plugin = new PluginKeyturn();
        $plugin->built = self::args($host->address);
        self::assertSame('The password was changed.', $plugin->doUpdate(['userPackageId' => 5, 'changes' => ['password' => self::PASSWORD]]));
        self::assertSame(self::PASSWORD, $host->bodies()[2]['new']);
        $args = self::args($host->address, ['changes' => ['password' => self::PASSWORD]]);
        self::assertStringContainsString('may or may not', $this->refused(static function () use ($plugin, $args): void {
            $plugin->update($args);
        }));
        $plugin->update($args);
        self::assertSame($host->keys()[5], $host->keys()[8], 'the retry has the key of the first attempt');
    }

    public function testWhatElseWasToChangeIsSaidNotToBeDone(): void
    {
        $host = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed()]));
        $plugin = new PluginKeyturn();
        $changes = ['password' => self::PASSWORD, 'username' => 'other', 'ip' => '192.0.2.1'];
        $said = $this->refused(static function () use ($plugin, $host, $changes): void {
            $plugin->update(self::args($host->address, ['changes' => $changes]));
        });
        self::assertSame('The password was changed. Keyturn can\'t change: username, ip.', $said);
        foreach ([['username' => 'other'], [], ['password' => ''], ['password' => null]] as $changes) {
            $this->refused(static function () use ($plugin, $host, $changes): void {
                $plugin->update(self::args($host->address, ['changes' => $changes]));
            });
        }
        self::assertCount(3, $host->requests());
        foreach (['Create', 'Delete', 'Suspend', 'UnSuspend'] as $action) {
            foreach (['do' . $action, lcfirst($action) === 'unSuspend' ? 'unsuspend' : lcfirst($action)] as $method) {
                self::assertStringContainsString('passwords only', $this->refused(static function () use ($plugin, $method): void {
                    $plugin->$method(['userPackageId' => 5]);
                }));
            }
        }
    }

    public function testStaffMailAPasswordOrALink(): void
    {
        $mailed = static function (string $mode): array {
            return FakeHost::answer(200, ['mail' => 'm1', 'mode' => $mode, 'until' => 5, 'sessions_ended' => 1]);
        };
        $host = new FakeHost([FakeHost::named(), $mailed('temporary'), FakeHost::named(), $mailed('link')]);
        $plugin = new PluginKeyturn();
        $plugin->built = self::args($host->address);
        self::assertSame(['ResetAndMail', 'SendLink'], $plugin->getAvailableActions(new UserPackage(5)), 'if nothing is set');
        $plugin->built['server']['variables']['plugin_keyturn_Reset_And_Mail'] = 'link';
        self::assertSame(['SendLink'], $plugin->getAvailableActions(new UserPackage(5)), 'both would mail a link');
        $plugin->built['server']['variables']['plugin_keyturn_Reset_And_Mail'] = ' Temporary ';
        self::assertSame(['ResetAndMail', 'SendLink'], $plugin->getAvailableActions(new UserPackage(5)));
        self::assertSame('The email is queued.', $plugin->doResetAndMail(['userPackageId' => 5]));
        self::assertSame('The email is queued.', $plugin->doSendLink(['userPackageId' => 5]));
        self::assertSame(['temporary', 'link'], array_column($host->bodies(), 'mode'));
        $plugin->built = self::args($host->address, [], self::TOKEN, '');
        self::assertSame([], $plugin->getAvailableActions(new UserPackage(5)));
    }

    public function testNothingAtAllIsNoSuccess(): void
    {
        foreach (['testConnection', 'update', 'create', 'doUpdate', 'doResetAndMail', 'doSendLink'] as $method) {
            foreach ([[], ['userPackageId' => 5], ['changes' => ['password' => self::PASSWORD]], null] as $args) {
                if ($args !== null || $method === 'update') {
                    $this->refused(static function () use ($method, $args): void {
                        (new PluginKeyturn())->$method($args);
                    });
                }
            }
        }
        self::assertSame([], (new PluginKeyturn())->getAvailableActions(new UserPackage(5)));
    }

    public function testClientsAreNotToldWhatIsWrongWithTheSettings(): void
    {
        $args = self::args('http://panel.example', ['changes' => ['password' => self::PASSWORD]]);
        self::assertStringContainsString('not set up here', $this->refused(static function () use ($args): void {
            (new PluginKeyturn())->update($args);
        }));
        self::assertStringContainsString('must begin with https', implode(CE_Lib::$log));
        self::assertStringContainsString('must begin with https', $this->refused(static function () use ($args): void {
            (new PluginKeyturn())->testConnection($args);
        }));
    }

    public function testHostsThatShareAFolderDoNotShareTheirDeeds(): void
    {
        $one = new FakeHost(array_merge(FakeHost::own(), [['reset' => true]]));
        $other = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed()]));
        $update = static function (FakeHost $host): void {
            (new PluginKeyturn())->update(self::args($host->address, ['changes' => ['password' => self::PASSWORD]]));
        };
        $this->refused(static function () use ($update, $one): void {
            $update($one);
        });
        $update($other);
        self::assertNotSame($one->keys()[2], $other->keys()[2], 'marta of the other one is somebody else');
        self::assertStringContainsString('may or may not', $this->refused(static function () use ($update, $one): void {
            $update($one);
        }), 'not that nothing was changed, where it cannot even be asked whose account it is');
    }

    /** @group host */
    public function testOnTheHostAPasswordIsChangedAndSignsIn(): void
    {
        $plugin = new PluginKeyturn();
        $password = self::PASSWORD . bin2hex(random_bytes(4));
        $args = self::args(Host::address(), ['changes' => ['password' => $password]], Host::token('clientexec'), 'pavel');
        $plugin->testConnection($args);
        $plugin->update($args);
        Host::assertSignsIn('pavel', $password);
        $args['changes']['password'] = 'short';
        self::assertStringContainsString('characters', $this->refused(static function () use ($plugin, $args): void {
            $plugin->update($args);
        }));
        // A user name that its client has chosen: it is another's.
        $args['changes']['password'] = $password . ' stolen';
        foreach ([['email' => 'marta@vidal.example'], ['email' => ''], ['email' => ['office@shared.example']], null] as $customer) {
            $stolen = ['customer' => $customer] + $args;
            self::assertStringContainsString('No account in the panel has both', $this->refused(static function () use ($plugin, $stolen): void {
                $plugin->update($stolen);
            }));
        }
        Host::assertSignsIn('pavel', $password);
    }
}
