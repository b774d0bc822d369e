<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

final class ModuleTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const PASSWORD = 'Küche & <Lampe> "9" %+/ oats';

    public static function setUpBeforeClass(): void
    {
        require_once dirname(__DIR__) . '/support/Blesta.php';
        require_once Packed::folder('blesta') . '/components/modules/keyturn/keyturn.php';
    }

    private static function module(string $address, string $token = self::TOKEN): Keyturn
    {
        $module = new Keyturn();
        $meta = ['server_name' => 'Panel', 'address' => $address, 'token' => $token, 'ca_file' => '', 'seconds' => '5',
            'folder' => Packed::folder('blesta') . '/operations'];
        $module->row = (object) ['id' => 1, 'meta' => (object) $meta];
        return $module;
    }

    private static function service(string $username = 'marta', int $client = 7): stdClass
    {
        $fields = [(object) ['key' => 'keyturn_username', 'value' => $username]];
        return (object) ['id' => 42, 'client_id' => $client, 'fields' => $fields];
    }

    private static function assertFailed(Keyturn $module, string $word): void
    {
        self::assertNotFalse($module->errors(), 'It was taken for done.');
        self::assertStringContainsString($word, json_encode($module->errors(), JSON_UNESCAPED_UNICODE));
        Secrets::assertNone(json_encode($module->errors()) . print_r($module->logged, true), self::PASSWORD, self::TOKEN);
    }

    public function testBothLanguagesHaveTheSameWords(): void
    {
        $words = [];
        foreach (['en_us', 'es_es'] as $language) {
            $lang = [];
            require Packed::folder('blesta') . "/components/modules/keyturn/language/$language/keyturn.php";
            $words[] = array_keys($lang);
        }
        self::assertSame($words[0], $words[1]);
        $config = self::module('http://127.0.0.1:1')->config;
        self::assertContains($config['name'], $words[0]);
        self::assertSame('keyturn_username', $config['service']['name_key']);
    }

    public function testAPasswordIsChangedOrAnErrorIsSet(): void
    {
        $host = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed()], FakeHost::own(), [['reset' => true]], FakeHost::own(),
            [FakeHost::changed(), FakeHost::epoch()]));
        $vars = ['keyturn_password' => self::PASSWORD, 'use_module' => 'true'];
        $module = self::module($host->address);
        $fields = $module->editService(null, self::service(), $vars);
        self::assertFalse($module->errors());
        self::assertSame([['key' => 'keyturn_username', 'value' => 'marta', 'encrypted' => 0]], $fields, 'no password is kept');
        self::assertSame(self::PASSWORD, $host->bodies()[2]['new']);
        $module = self::module($host->address);
        self::assertNull($module->editService(null, self::service(), $vars));
        self::assertFailed($module, 'may or may not');
        $module = self::module($host->address);
        self::assertNotNull($module->editService(null, self::service(), $vars));
        self::assertSame($host->keys()[5], $host->keys()[8], 'the retry has the key of the first attempt');
    }

    public function testWhatTheModuleWasToldNotToDoIsNotSaidToBeDone(): void
    {
        $host = new FakeHost([]);
        $module = self::module($host->address);
        self::assertNull($module->editService(null, self::service(), ['keyturn_password' => self::PASSWORD, 'use_module' => 'false']));
        self::assertFailed($module, 'was not changed');
        $module = self::module($host->address);
        self::assertNull($module->editService(null, self::service(), ['keyturn_password' => [self::PASSWORD], 'use_module' => 'true']));
        self::assertFailed($module, 'Nothing was changed');
        $module = self::module($host->address);
        $fields = $module->editService(null, self::service(), ['keyturn_username' => 'omar', 'use_module' => 'true']);
        self::assertSame('omar', $fields[0]['value']);
        self::assertSame([], $host->requests());
    }

    public function testWhatTheHostCannotDoIsAnErrorAndAnAccountThatExistsCanBeTakenUp(): void
    {
        foreach (['suspendService', 'unsuspendService', 'cancelService'] as $method) {
            $module = self::module('http://127.0.0.1:1');
            self::assertNull($module->$method(null, self::service()));
            self::assertFailed($module, 'passwords only');
        }
        $module = self::module('http://127.0.0.1:1');
        $module->changeServicePackage(null, null, self::service());
        self::assertFailed($module, 'passwords only');
        $module = self::module('http://127.0.0.1:1');
        self::assertNull($module->addService(null, ['keyturn_username' => 'marta', 'use_module' => 'true']));
        self::assertFailed($module, 'passwords only');
        $module = self::module('http://127.0.0.1:1');
        self::assertSame('marta', $module->addService(null, ['keyturn_username' => 'marta', 'use_module' => 'false'])[0]['value']);
        $module = self::module('http://127.0.0.1:1');
        self::assertNull($module->addService(null, ['keyturn_username' => ' ', 'use_module' => 'false']));
        self::assertFailed($module, 'user name');
    }

    public function testAServerIsTriedBeforeItIsStoredAndItsTokenIsNotDrawnBack(): void
    {
        $good = [FakeHost::answer(200, ['state' => 'not_done', 'hook' => null, 'answer' => null]), FakeHost::answer(200, ['accounts' => []])];
        $host = new FakeHost(array_merge($good, [FakeHost::problem(401, 'bad-key')], $good));
        $vars = ['server_name' => 'Panel', 'address' => $host->address, 'token' => self::TOKEN, 'seconds' => '5'];
        $vars['folder'] = ['x'];
        $meta = self::module($host->address)->addModuleRow($vars);
        self::assertSame('', array_column($meta, 'value', 'key')['folder']);
        unset($vars['folder']);
        self::assertSame(1, array_column($meta, 'encrypted', 'key')['token']);
        $module = self::module($host->address);
        self::assertNull($module->addModuleRow($vars));
        self::assertFailed($module, 'did not let this request in');
        $vars['token'] = '';
        $meta = $module->editModuleRow($module->row, $vars);
        self::assertSame(self::TOKEN, array_column((array) $meta, 'value', 'key')['token']);
        $shown = [];
        $html = $module->manageEditRow($module->row, $shown);
        self::assertStringContainsString($host->address, $html);
        Secrets::assertNone($html, self::TOKEN);
        $module->row->meta->server_name = '<script>';
        $shown = [];
        $html = $module->manageModule((object) ['id' => 1, 'rows' => [$module->row]], $shown);
        self::assertStringNotContainsString('<script>', $html);
        self::assertStringContainsString('editrow/1/1', $html);
    }

    public function testTheTabsOfClientsAndStaffSayWhatWasDone(): void
    {
        $mailed = FakeHost::answer(200, ['mail' => 'm1', 'mode' => 'link', 'until' => 5, 'sessions_ended' => null]);
        $host = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed(), FakeHost::named(), $mailed, FakeHost::named(), ['reset' => true]]));
        $module = self::module($host->address);
        $module->row->meta->reset_mode = 'temporary';
        self::assertArrayHasKey('tabClientPassword', $module->getClientTabs(null));
        $html = $module->tabClientPassword(null, self::service(), [], []);
        self::assertStringContainsString('_csrf_token', $html);
        self::assertStringNotContainsString('The new password is set', $html);
        $wrong = self::module($host->address);
        $html = $wrong->tabClientPassword(null, self::service(), [], ['keyturn_password' => self::PASSWORD, 'keyturn_confirm_password' => 'other']);
        self::assertFailed($wrong, 'differ');
        $typed = ['keyturn_password' => self::PASSWORD, 'keyturn_confirm_password' => self::PASSWORD];
        $html = $module->tabClientPassword(null, self::service(), [], $typed);
        self::assertStringContainsString('The new password is set', $html);
        Secrets::assertNone($html, self::PASSWORD);

        self::assertArrayHasKey('tabAdminPassword', $module->getAdminTabs(null));
        $html = $module->tabAdminPassword(null, self::service(), [], ['keyturn_mode' => 'link']);
        self::assertStringContainsString('The email is queued', $html);
        $html = $module->tabAdminPassword(null, self::service(), [], ['keyturn_mode' => 'temporary']);
        self::assertStringNotContainsString('The email is queued', $html);
        self::assertFailed($module, 'may or may not');
        $html = $module->tabAdminPassword(null, self::service(), ['keyturn_mode' => 'link'], ['keyturn_mode' => 'by pigeon']);
        self::assertStringNotContainsString('The email is queued', $html);
        self::assertCount(7, $host->requests());
    }

    public function testAClientIsToldOfSuccessByTheHostAlone(): void
    {
        $typed = ['keyturn_password' => self::PASSWORD, 'keyturn_confirm_password' => self::PASSWORD];
        foreach ([[['reset' => true]], array_merge(FakeHost::own(), [FakeHost::answer(200, '<html>', 'text/html')])] as $steps) {
            $module = self::module((new FakeHost($steps))->address);
            $html = $module->tabClientPassword(null, self::service(), [], $typed);
            self::assertStringNotContainsString('The new password is set', $html);
            self::assertNotFalse($module->errors());
        }
        $module = self::module('http://127.0.0.1:1');
        $module->tabClientPassword(null, self::service(), [], ['keyturn_password' => ['x'], 'keyturn_confirm_password' => ['x']]);
        self::assertFailed($module, 'Nothing was changed');
    }

    public function testResetAndMailMailsWhatIsSetAndNoTwoButtonsDoTheSame(): void
    {
        $host = new FakeHost([FakeHost::named(), FakeHost::problem(422, 'refused', ['reason' => 'mode-not-offered', 'detail' => 'x'])]);
        $module = self::module($host->address);
        $html = $module->tabAdminPassword(null, self::service(), [], ['keyturn_mode' => 'permanent']);
        self::assertSame([], $host->requests(), 'what is not set is not mailed');
        self::assertStringContainsString('name="keyturn_mode" value="temporary"', $html, 'what is mailed if nothing is set');
        $module->row->meta->reset_mode = 'link';
        $html = $module->tabAdminPassword(null, self::service(), [], []);
        self::assertStringNotContainsString('Reset &amp; mail password', $html, 'both buttons would mail a link');
        $module->row->meta->reset_mode = 'permanent';
        $html = $module->tabAdminPassword(null, self::service(), [], ['keyturn_mode' => 'permanent']);
        self::assertStringContainsString('Reset &amp; mail password', $html);
        self::assertSame('permanent', $host->bodies()[1]['mode']);
        self::assertFailed($module, 'to link');
        $shown = [];
        $html = $module->manageEditRow($module->row, $shown);
        self::assertStringContainsString('<option value="permanent" selected>', $html);
        self::assertContains(['key' => 'reset_mode', 'value' => 'permanent', 'encrypted' => 0], (array) self::rowOf(['reset_mode' => 'permanent']));
    }

    /** @return ?array<int, array<string, mixed>> What Blesta is to store. */
    private static function rowOf(array $more): ?array
    {
        $host = new FakeHost([FakeHost::answer(200, ['state' => 'not_done', 'hook' => null, 'answer' => null]), FakeHost::answer(200, ['accounts' => []])]);
        $vars = $more + ['server_name' => 'Panel', 'address' => $host->address, 'token' => self::TOKEN];
        return self::module($host->address)->addModuleRow($vars);
    }

    /** @group host */
    public function testOnTheHostAPasswordIsChangedAndSignsIn(): void
    {
        $password = self::PASSWORD . bin2hex(random_bytes(4));
        $module = self::module(Host::address(), Host::token('blesta'));
        $vars = ['server_name' => 'Panel', 'address' => Host::address(), 'token' => Host::token('blesta')];
        self::assertNotNull($module->addModuleRow($vars), print_r($module->errors(), true));
        $module->editService(null, self::service('pavel', 8), ['keyturn_password' => $password, 'use_module' => 'true']);
        self::assertFalse($module->errors());
        Host::assertSignsIn('pavel', $password);
        $module->editService(null, self::service('pavel', 8), ['keyturn_password' => 'short', 'use_module' => 'true']);
        self::assertFailed($module, 'characters');
        // A user name that came with an order, or along with the password: it is another's.
        $stolen = ['keyturn_password' => self::PASSWORD . ' stolen', 'use_module' => 'true'];
        $services = [self::service('pavel', 7), self::service('pavel', 9), self::service('pavel', 10), self::service('marta', 7)];
        foreach ($services as $at => $service) {
            $module = self::module(Host::address(), Host::token('blesta'));
            self::assertNull($module->editService(null, $service, $stolen + ($at === 3 ? ['keyturn_username' => 'pavel'] : [])));
            self::assertFailed($module, 'No account in the panel has both');
        }
        Host::assertSignsIn('pavel', $password);
    }
}
