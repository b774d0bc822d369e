<?php

declare(strict_types=1);

use Illuminate\Database\Capsule\Manager as Capsule;
use PHPUnit\Framework\TestCase;

/** The addon by the contract that WHMCS publishes, on the query builder that WHMCS has (Illuminate's), and tables as it names them. */
final class AddonTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const PASSWORD = 'Küche & <Lampe> "9" %+/ oats';

    public static function setUpBeforeClass(): void
    {
        Whmcs::reset();
        require_once Packed::folder('whmcs') . '/modules/addons/keyturnaddon/keyturnaddon.php';
        require_once Packed::folder('whmcs') . '/modules/addons/keyturnaddon/hooks.php';
        self::assertSame('success', keyturnaddon_activate()['status']);
        self::assertSame('success', keyturnaddon_activate()['status'], 'the table is there already');
    }

    protected function setUp(): void
    {
        Whmcs::reset();
        Capsule::table('tblclients')->insert([
            ['id' => 7, 'language' => 'english', 'email' => 'marta@vidal.example'],
            ['id' => 8, 'language' => 'spanish', 'email' => 'omar@haddad.example'],
        ]);
        Capsule::table('tblhosting')->insert([
            ['id' => 42, 'userid' => 7, 'packageid' => 3, 'username' => 'marta', 'domain' => '<marta>.example', 'domainstatus' => 'Active'],
            ['id' => 43, 'userid' => 8, 'packageid' => 3, 'username' => 'omar', 'domain' => 'omar.example', 'domainstatus' => 'Active'],
            ['id' => 44, 'userid' => 7, 'packageid' => 4, 'username' => 'marta2', 'domain' => '', 'domainstatus' => 'Suspended'],
            ['id' => 45, 'userid' => 7, 'packageid' => 3, 'username' => '', 'domain' => '', 'domainstatus' => 'Active'],
        ]);
    }

    /** @return array<string, mixed> */
    private static function vars(string $address, array $more = []): array
    {
        return $more + ['modulelink' => 'addonmodules.php?module=keyturnaddon', 'version' => '0.1.0', 'address' => $address,
            'token' => self::TOKEN, 'ca_file' => '', 'seconds' => '5', 'bear' => '', 'products' => '3', 'account_field' => '',
            'reset_mode' => 'temporary'];
    }

    /** @return string What the page for staff prints. */
    private static function output(array $vars, array $get, ?array $post = null): string
    {
        $_GET = $get;
        $_SESSION['adminid'] = $_SESSION['adminid'] ?? 1;
        $_SERVER['REQUEST_METHOD'] = $post === null ? 'GET' : 'POST';
        $_POST = $post ?? [];
        ob_start();
        try {
            keyturnaddon_output($vars);
        } finally {
            $printed = (string) ob_get_clean();
        }
        return $printed;
    }

    /** @return array<string, mixed> */
    private static function clientArea(array $vars, int $client, int $service, ?array $post = null): array
    {
        $_GET = ['m' => 'keyturnaddon', 'service' => (string) $service];
        $_SESSION['uid'] = $client;
        $_SERVER['REQUEST_METHOD'] = $post === null ? 'GET' : 'POST';
        // As WHMCS leaves them, unlike what was typed.
        $_POST = array_map(static fn ($value) => is_string($value) ? htmlspecialchars(trim($value), ENT_QUOTES) : $value, $post ?? []);
        return PostedBody::with($post ?? [], static fn (): array => keyturnaddon_clientarea($vars));
    }

    /** @return array<string, string> */
    private static function posted(string $do): array
    {
        return ['token' => 'token-of-the-session', 'do' => $do, 'once' => bin2hex(random_bytes(16))];
    }

    private static function status(): array
    {
        return FakeHost::answer(200, ['state' => 'set', 'until' => null, 'changed' => null, 'last_mail' => null]);
    }

    private static function mailed(string $mode): array
    {
        return FakeHost::answer(200, ['mail' => 'm1', 'mode' => $mode, 'until' => 5, 'sessions_ended' => 1]);
    }

    /** @return array<int, array<string, mixed>> What stands on the page for staff after a deed. */
    private static function shown(): array
    {
        return [FakeHost::named(), self::status()];
    }

    /** @return array<int, array<string, mixed>> The same for the client. */
    private static function shownToClient(): array
    {
        return array_merge(FakeHost::own(), [self::status()]);
    }

    public function testEachFunctionTakesWhatWhmcsGivesAndAnswersItsType(): void
    {
        $config = keyturnaddon_config();
        foreach (['name', 'description', 'version', 'author', 'language'] as $name) {
            self::assertIsString($config[$name]);
        }
        self::assertSame('password', $config['fields']['token']['Type'], 'not shown again');
        foreach ($config['fields'] as $field) {
            self::assertContains($field['Type'], ['text', 'password', 'yesno', 'dropdown', 'radio', 'textarea']);
        }
        self::assertSame('success', keyturnaddon_deactivate()['status']);
        self::assertTrue(Capsule::schema()->hasTable('mod_keyturn_operations'), 'what is not settled stays known');
        self::assertIsArray(keyturnaddon_clientarea([]));
        ob_start();
        keyturnaddon_output([]);
        self::assertIsString(ob_get_clean());
    }

    public function testThatFunctionsOfTheTwoModulesDoNotCollide(): void
    {
        $functions = array_filter(get_defined_functions()['user'], static function (string $name): bool {
            return strncmp($name, 'keyturn', 7) === 0;
        });
        $server = preg_grep('/^keyturn_/', $functions);
        self::assertGreaterThan(10, count((array) $server));
        // PHP knows no difference between keyturn_clientarea and keyturn_ClientArea.
        self::assertTrue(function_exists('keyturnaddon_clientarea'));
        self::assertSame('array', gettype(keyturn_ClientArea([])));
    }

    public function testNothingListensWherePasswordsAreHandedOutInClear(): void
    {
        self::assertEqualsCanonicalizing(
            ['AdminAreaClientSummaryActionLinks', 'AdminClientServicesTabFields', 'ClientAreaProductDetailsOutput'],
            array_keys(Whmcs::$hooks)
        );
    }

    public function testTheClientsAndTheServicesPagesHaveTheButtons(): void
    {
        Capsule::table('tbladdonmodules')->insert(['module' => 'keyturnaddon', 'setting' => 'reset_mode', 'value' => 'link']);
        $links = Whmcs::run('AdminAreaClientSummaryActionLinks', ['userid' => 7])[0];
        self::assertCount(1, $links, 'where a link is mailed, both would do the same');
        self::assertStringContainsString('Send set-password link', $links[0]);
        self::assertStringNotContainsString('Reset', Whmcs::run('AdminClientServicesTabFields', ['id' => 42])[0]['Panel password']);
        Capsule::table('tbladdonmodules')->where('setting', 'reset_mode')->delete();
        $links = Whmcs::run('AdminAreaClientSummaryActionLinks', ['userid' => 7])[0];
        self::assertCount(2, $links);
        self::assertStringContainsString('Reset &amp; mail password', $links[0]);
        self::assertStringContainsString('addonmodules.php?module=keyturnaddon&amp;client=7', $links[0]);
        self::assertStringContainsString('Send set-password link', $links[1]);
        $fields = Whmcs::run('AdminClientServicesTabFields', ['id' => 42])[0];
        self::assertStringContainsString('keyturnaddon&amp;service=42', $fields['Panel password']);
        $service = new stdClass();
        $service->id = 42;
        $_SESSION['uid'] = 7;
        self::assertSame('', Whmcs::run('ClientAreaProductDetailsOutput', ['service' => $service])[0], 'no product is named for clients');
        Capsule::table('tbladdonmodules')->insert(['module' => 'keyturnaddon', 'setting' => 'products', 'value' => '3']);
        self::assertStringContainsString('m=keyturnaddon&amp;service=42', Whmcs::run('ClientAreaProductDetailsOutput', ['service' => $service])[0]);
        $_SESSION['uid'] = 8;
        self::assertSame('', Whmcs::run('ClientAreaProductDetailsOutput', ['service' => $service])[0], 'not another client\'s');

        self::assertSame([], Whmcs::run('AdminClientServicesTabFields', ['id' => 45])[0], 'no user name');
        self::assertSame([], Whmcs::run('AdminClientServicesTabFields', ['id' => 99])[0]);
        Capsule::table('tbladdonmodules')->where('setting', 'products')->update(['value' => '4, 5']);
        self::assertSame([], Whmcs::run('AdminClientServicesTabFields', ['id' => 42])[0], 'not a product that is meant');
        self::assertCount(2, Whmcs::run('AdminAreaClientSummaryActionLinks', ['userid' => 7])[0]);
        self::assertSame([], Whmcs::run('AdminAreaClientSummaryActionLinks', ['userid' => 8])[0]);
        Capsule::table('tbladdonmodules')->delete();
        Whmcs::$mayOperate = false;
        self::assertSame([], Whmcs::run('AdminAreaClientSummaryActionLinks', ['userid' => 7])[0]);
        self::assertSame([], Whmcs::run('AdminClientServicesTabFields', ['id' => 42])[0]);
        foreach (['AdminAreaClientSummaryActionLinks', 'AdminClientServicesTabFields', 'ClientAreaProductDetailsOutput'] as $point) {
            self::assertNotNull(Whmcs::run($point, [])[0], 'they take nothing as well');
        }
    }

    public function testStaffSeeServicesStatusAndDeliveryAndMayReset(): void
    {
        $html = self::output(self::vars('http://127.0.0.1:1'), []);
        self::assertStringContainsString('Open this page from a client', $html, 'nothing is said of a client where none is given');
        $html = self::output(self::vars('http://127.0.0.1:1'), ['client' => '7']);
        self::assertStringContainsString('service=42', $html);
        self::assertStringContainsString('&lt;marta&gt;.example', $html);
        self::assertStringNotContainsString('<marta>', $html);
        self::assertStringNotContainsString('service=43', $html);

        $status = FakeHost::answer(200, ['state' => 'set', 'until' => null, 'changed' => null, 'last_mail' => 'm1']);
        $mail = FakeHost::answer(200, ['mail' => 'm1', 'account' => 'customer:1', 'state' => 'refused', 'to' => 'a@b.example', 'attempts' => 1,
            'answer' => '550 <script>', 'server' => 'mx', 'changed_at' => 1, 'next_attempt' => null, 'sentence' => 'It was refused.']);
        $host = new FakeHost([FakeHost::named(), self::mailed('temporary'), FakeHost::named(), $status, $mail]);
        $html = self::output(self::vars($host->address), ['service' => '42'], self::posted('mail'));
        self::assertStringContainsString('successbox', $html);
        self::assertStringContainsString('It was refused.', $html);
        self::assertStringContainsString('550 ‹script›', $html);
        self::assertStringContainsString('name="token" value="token-of-the-session"', $html);
        self::assertSame(['WHMCS.admin.default'], Whmcs::$tokenChecks);
        self::assertSame('temporary', $host->bodies()[1]['mode']);
        self::assertSame(0, Capsule::table('mod_keyturn_operations')->count());
        Secrets::assertNone($html . Whmcs::logged(), self::TOKEN);
    }

    public function testAButtonSaysWhatItDoesAndNoTwoDoTheSame(): void
    {
        foreach (['temporary' => 'A temporary password is emailed', 'permanent' => 'A new password is emailed', 'link' => null] as $mode => $said) {
            $host = new FakeHost(self::shown());
            $html = self::output(self::vars($host->address, ['reset_mode' => $mode]), ['service' => '42']);
            self::assertSame($said === null ? 0 : 1, substr_count($html, 'name="do" value="mail"'), $html);
            self::assertSame(1, substr_count($html, 'name="do" value="link"'));
            self::assertStringContainsString($said ?? 'A one-time link is emailed', $html);
        }
    }

    public function testAPageThatIsLookedAtChangesNothing(): void
    {
        $host = new FakeHost(self::shown());
        $html = self::output(self::vars($host->address), ['service' => '42', 'do' => 'mail']);
        self::assertStringNotContainsString('successbox', $html);
        foreach ($host->requests() as $request) {
            self::assertMatchesRegularExpression('~^(GET /v1/accounts|POST /v1/hooks/password/account-status)~', $request);
        }
    }

    public function testAFormOfAnotherSiteAndOneThatIsSentAgainDoNothing(): void
    {
        $host = new FakeHost(array_merge([FakeHost::named(), self::mailed('link')], self::shown(), self::shown(), self::shown()));
        $vars = self::vars($host->address);
        $form = self::posted('link');
        self::assertStringContainsString('successbox', self::output($vars, ['service' => '42'], $form));
        self::assertStringContainsString('has expired', self::output($vars, ['service' => '42'], $form), 'a reload');
        self::assertStringContainsString('has expired', self::output($vars, ['service' => '42'], ['once' => 'x'] + self::posted('link')));
        $sent = count($host->requests());
        foreach ([['token' => 'of another'], ['token' => '']] as $wrong) {
            try {
                self::output($vars, ['service' => '42'], $wrong + self::posted('link'));
                self::fail('It was let through.');
            } catch (WhmcsTokenRefused $refused) {
                self::assertCount($sent, $host->requests());
            }
            try {
                self::clientArea($vars, 7, 42, $wrong + ['new' => self::PASSWORD, 'again' => self::PASSWORD]);
                self::fail('It was let through.');
            } catch (WhmcsTokenRefused $refused) {
                self::assertCount($sent, $host->requests());
            }
        }
        self::assertCount(1, array_filter($host->bodies(), static fn (array $body): bool => isset($body['mode'])));
    }

    public function testStaffWithoutThePermissionAndNobodyAtAllAreTurnedAway(): void
    {
        $host = new FakeHost([]);
        Whmcs::$mayOperate = false;
        self::assertStringContainsString('allowed to perform server operations', self::output(self::vars($host->address), ['service' => '42'], self::posted('mail')));
        Whmcs::$mayOperate = true;
        $_SESSION['adminid'] = 0;
        self::assertStringContainsString('allowed to perform server operations', self::output(self::vars($host->address), ['service' => '42'], self::posted('mail')));
        self::assertSame([], $host->requests());
    }

    public function testWhatIsLeftOpenIsKeptInTheTableShownAndSettled(): void
    {
        $done = ['state' => 'done', 'hook' => 'password/reset-and-mail', 'answer' => ['mail' => 'm1', 'mode' => 'temporary']];
        $steps = array_merge([FakeHost::named(), ['reset' => true]], self::shown(), [FakeHost::answer(200, $done)], self::shown());
        $host = new FakeHost($steps);
        $html = self::output(self::vars($host->address), ['service' => '42'], self::posted('mail'));
        self::assertStringContainsString('may or may not', $html);
        self::assertStringContainsString('is not known yet', $html);
        $row = Capsule::table('mod_keyturn_operations')->first();
        self::assertSame($host->keys()[1], $row->idempotency_key);
        $html = self::output(self::vars($host->address), ['service' => '42'], self::posted('settle'));
        self::assertStringContainsString('It was done.', $html);
        self::assertStringNotContainsString('is not known yet', $html);
        self::assertSame(0, Capsule::table('mod_keyturn_operations')->count());
    }

    public function testAClientChangesHisOwnAndNobodyElses(): void
    {
        $host = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed()], self::shownToClient()));
        $vars = self::vars($host->address, ['products' => '3,4']);
        $typed = ['token' => 'token-of-the-session', 'new' => self::PASSWORD, 'again' => self::PASSWORD];
        foreach ([[8, 42], [0, 42], [7, 43], [7, 99], [7, 44]] as [$client, $service]) {
            $page = self::clientArea($vars, $client, $service, $typed);
            self::assertNotSame('', $page['vars']['keyturn']['error']);
            self::assertFalse($page['vars']['keyturn']['form']);
            self::assertTrue($page['requirelogin']);
        }
        self::assertSame([], $host->requests());
        $page = self::clientArea($vars, 7, 42, $typed);
        self::assertSame('The new password is set.', $page['vars']['keyturn']['done'], print_r($page, true));
        self::assertSame(self::PASSWORD, $host->bodies()[2]['new']);
        self::assertSame(['WHMCS.default'], Whmcs::$tokenChecks);
        $html = self::drawn($page);
        self::assertStringContainsString('autocomplete="new-password"', $html);
        self::assertStringContainsString('name="token" value="&lt;token&gt;"', $html);
        Secrets::assertNone($html . Whmcs::logged() . print_r($page, true), self::PASSWORD, self::TOKEN);
    }

    private static function drawn(array $page): string
    {
        $smarty = new Smarty();
        $smarty->setTemplateDir(Packed::folder('whmcs') . '/modules/addons/keyturnaddon/templates');
        $smarty->setCompileDir(Packed::folder('whmcs') . '/compiled');
        $smarty->assign($page['vars'] + ['token' => '<token>']);
        return $smarty->fetch($page['templatefile'] . '.tpl');
    }

    public function testWhatAClientIsToldIsTrueAndInHisLanguage(): void
    {
        $tell = static function (array $steps, string $new, string $again): string {
            $host = new FakeHost(array_merge($steps, self::shownToClient()));
            $typed = ['token' => 'token-of-the-session', 'new' => $new, 'again' => $again];
            $page = self::clientArea(self::vars($host->address), 8, 43, $typed);
            self::assertSame('', $page['vars']['keyturn']['done']);
            $html = self::drawn($page);
            Secrets::assertNone($html, $new);
            return $html;
        };
        self::assertStringContainsString('no coinciden', $tell([], 'one one one one', 'two two two two'));
        self::assertStringContainsString('puede que se haya hecho', $tell(array_merge(FakeHost::own(), [['reset' => true]]), self::PASSWORD, self::PASSWORD));
        Capsule::table('mod_keyturn_operations')->delete();
        $invalid = ['errors' => [['path' => 'new', 'code' => 'x', 'message' => '<b>Muy</b> corta.']]];
        $html = $tell(array_merge(FakeHost::own(), [FakeHost::problem(422, 'invalid', $invalid)]), 'short short short', 'short short short');
        self::assertStringContainsString('Muy', $html);
        self::assertStringNotContainsString('<b>', $html);
        self::assertStringContainsString('La contraseña nueva está vacía', $tell([], '', ''));
    }

    /** @dataProvider typed */
    public function testAPasswordIsTakenAsItWasTypedAndNotAsWhmcsLeavesIt(string $password): void
    {
        $host = new FakeHost(array_merge(FakeHost::own(), [FakeHost::changed()], self::shownToClient()));
        $typed = ['token' => 'token-of-the-session', 'new' => $password, 'again' => $password];
        self::assertNotSame('', self::clientArea(self::vars($host->address), 7, 42, $typed)['vars']['keyturn']['done']);
        self::assertSame($password, $host->bodies()[2]['new']);
    }

    /** @return array<int, array{string}> */
    public function typed(): array
    {
        return [['R&D lantern oats'], ['R&amp;D lantern oats'], ['  <b> "spaces" \' + % #  '], ['Küche 🔑 ñandú lantern']];
    }

    public function testAFormThatIsNoFormSetsNothing(): void
    {
        $host = new FakeHost([]);
        foreach ([['new' => ['x' => 'y'], 'again' => ['x' => 'y']], []] as $typed) {
            $page = self::clientArea(self::vars($host->address), 7, 42, ['token' => 'token-of-the-session'] + $typed)['vars']['keyturn'];
            self::assertSame('', $page['done']);
            self::assertStringContainsString('new password is empty', $page['error']);
        }
        foreach ($host->requests() as $request) {
            self::assertStringStartsWith('GET /v1/accounts?', $request);
        }
    }

    public function testAClientWhoPostsAgainAndAgainIsHeldUpAndNothingIsChanged(): void
    {
        $host = new FakeHost([]);
        $_SESSION['keyturn_asked'] = array_fill(0, 10, time());
        $typed = ['token' => 'token-of-the-session', 'new' => self::PASSWORD, 'again' => self::PASSWORD];
        $page = self::clientArea(self::vars($host->address), 7, 42, $typed)['vars']['keyturn'];
        self::assertStringContainsString('too often from here', $page['error']);
        self::assertSame(['', [], false], [$page['done'], $page['lines'], $page['form']]);
        self::assertSame([], $host->requests());
    }

    public function testWithoutItsTableNothingIsSentAndNothingBreaks(): void
    {
        Capsule::schema()->drop('mod_keyturn_operations');
        try {
            $host = new FakeHost(array_merge([FakeHost::named()], self::shown()));
            $html = self::output(self::vars($host->address), ['service' => '42'], self::posted('mail'));
            self::assertStringContainsString('errorbox', $html);
            self::assertStringContainsString('is the addon activated', Whmcs::logged());
            self::assertSame([], array_filter($host->keys()));
        } finally {
            self::assertSame('success', keyturnaddon_activate()['status']);
        }
    }

    public function testWithoutProductsThatAreNamedStaffMailAndClientsGetNothing(): void
    {
        $host = new FakeHost(array_merge([FakeHost::named(), self::mailed('temporary')], self::shown()));
        $vars = self::vars($host->address, ['products' => '']);
        $typed = ['token' => 'token-of-the-session', 'new' => self::PASSWORD, 'again' => self::PASSWORD];
        $page = self::clientArea($vars, 7, 42, $typed)['vars']['keyturn'];
        self::assertSame('This service does not exist.', $page['error']);
        self::assertSame([false, []], [$page['form'], $page['lines']]);
        self::assertSame([], $host->requests());
        self::assertStringContainsString('successbox', self::output($vars, ['service' => '42'], self::posted('mail')));
        self::assertStringContainsString('Empty: none', keyturnaddon_config()['fields']['products']['Description']);
    }

    /** @dataProvider others */
    public function testAUserNameThatIsAnothersInThePanelIsNoWayToHisPassword(string $email, array $byEmail, array $byName): void
    {
        Capsule::table('tblclients')->where('id', 7)->update(['email' => $email]);
        $found = static function (array $accounts): array {
            return FakeHost::answer(200, ['accounts' => $accounts]);
        };
        $asked = $email === '' ? [] : [$found($byEmail), $found($byName)];
        $host = new FakeHost(array_merge($asked, $asked));
        $typed = ['token' => 'token-of-the-session', 'new' => self::PASSWORD, 'again' => self::PASSWORD];
        $page = self::clientArea(self::vars($host->address), 7, 42, $typed)['vars']['keyturn'];
        self::assertSame('', $page['done']);
        self::assertStringContainsString('has both this user name and the client’s email address', $page['error']);
        self::assertStringContainsString('has both', $page['lines']['Password'], 'nor to how it stands, and where his mail goes');
        self::assertCount(1, $page['lines']);
        foreach ($host->requests() as $request) {
            self::assertStringStartsWith('GET /v1/accounts?named=', $request);
        }
    }

    /** @return array<string, array{string, array<int, array<string, string>>, array<int, array<string, string>>}> */
    public function others(): array
    {
        $tomas = ['account' => 'customer:4', 'matched' => 'login'];
        return [
            'an address of nobody' => ['mallory@evil.example', [], [$tomas]],
            'an address of his own account' => ['m@evil.example', [['account' => 'customer:66', 'matched' => 'email']], [$tomas]],
            'an address that is the login of the other' => ['tomas@x.example', [$tomas], [$tomas]],
            'an address that is only taken for the same' => ['tomás@straße.example',
                [['account' => 'customer:4', 'matched' => 'email', 'is_address' => false]], [$tomas]],
            'no address' => ['', [], [$tomas]],
            'a name of nobody, told no other way' => ['m@evil.example', [['account' => 'customer:66', 'matched' => 'email']], []],
        ];
    }

    public function testTheAccountMayStandInACustomFieldThatStaffAloneFillIn(): void
    {
        Whmcs::field('account', 'customer:8', ['type' => 'client', 'relid' => 0, 'adminonly' => '']);
        Whmcs::field('account|Account in the panel', ' customer:9 ');
        $host = new FakeHost([self::mailed('temporary'), self::status(), FakeHost::changed(), self::status()]);
        $vars = self::vars($host->address, ['account_field' => 'account']);
        self::assertStringContainsString('successbox', self::output($vars, ['service' => '42'], self::posted('mail')));
        $typed = ['token' => 'token-of-the-session', 'new' => self::PASSWORD, 'again' => self::PASSWORD];
        self::assertNotSame('', self::clientArea($vars, 7, 42, $typed)['vars']['keyturn']['done'], 'whatever address the client has');
        self::assertSame(['customer:9', 'customer:9', 'customer:9', 'customer:9'], array_column($host->bodies(), 'account'));
        self::assertStringContainsString('unknown', self::output($vars, ['service' => '43'], self::posted('mail')));
        self::assertCount(4, $host->requests());
    }

    public function testACustomFieldThatClientsMayFillInIsNotBelieved(): void
    {
        $host = new FakeHost([]);
        $vars = self::vars($host->address, ['account_field' => 'account']);
        $typed = ['token' => 'token-of-the-session', 'new' => self::PASSWORD, 'again' => self::PASSWORD];
        foreach ([['adminonly' => ''], ['adminonly' => null], ['showorder' => 'on']] as $open) {
            Capsule::table('tblcustomfields')->delete();
            Whmcs::field('account', 'customer:9');
            Whmcs::field('account|Account in the panel', 'customer:9', $open);
            $html = self::output($vars, ['service' => '42'], self::posted('mail'));
            self::assertStringContainsString('is not for staff only', $html);
            self::assertStringContainsString('must have Admin Only ticked', $html, 'staff are told what to do');
            $page = self::clientArea($vars, 7, 42, $typed)['vars']['keyturn'];
            self::assertStringContainsString('is not for staff only', $page['error']);
            self::assertFalse($page['form']);
            self::assertStringContainsString('must have Admin Only ticked', Whmcs::logged());
        }
        self::assertSame([], $host->requests());
    }

    public function testSettingsThatAreWrongAreToldToStaffAndNotToClients(): void
    {
        $vars = self::vars('http://panel.example');
        self::assertStringContainsString('must begin with https', self::output($vars, ['service' => '42'], self::posted('mail')));
        $page = self::clientArea($vars, 7, 42);
        self::assertStringNotContainsString('https', self::drawn($page));
        self::assertStringContainsString('not set up here', self::drawn($page));
        Secrets::assertNone(Whmcs::logged(), self::TOKEN);
    }

    /** @group host */
    public function testOnTheHostAClientsNewPasswordSignsInAndStaffSeeTheDelivery(): void
    {
        $vars = self::vars(Host::address(), ['token' => Host::token('whmcs')]);
        $password = 'saffron & <thimble> ' . bin2hex(random_bytes(4));
        $page = self::clientArea($vars, 8, 43, ['token' => 'token-of-the-session', 'new' => $password, 'again' => $password]);
        self::assertNotSame('', $page['vars']['keyturn']['done'], print_r($page, true));
        Host::assertSignsIn('omar', $password);
        $html = self::output($vars, ['service' => '43'], self::posted('link'));
        self::assertStringContainsString('successbox', $html);
        self::assertStringContainsString('omar@haddad.example', $html);
        Secrets::assertNone($html . Whmcs::logged(), $password, Host::token('whmcs'));
    }
}
