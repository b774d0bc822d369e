<?php

declare(strict_types=1);

use Illuminate\Database\Capsule\Manager as Capsule;
use Keyturn\Whmcs\Pace;
use Keyturn\Whmcs\ServerModule;
use PHPUnit\Framework\TestCase;

/** The server module by the contract that WHMCS publishes, against hosts of every kind. */
final class ServerModuleTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const PASSWORD = 'Küche & <Lampe> "9" %+/ oats';

    private WhmcsModel $model;

    protected function setUp(): void
    {
        Whmcs::reset();
        $this->model = new WhmcsModel();
    }

    /** @return array<string, mixed> What WHMCS hands over, as its documents list it. */
    private function params(string $address, array $more = []): array
    {
        $parts = parse_url($address);
        return $more + [
            'serviceid' => 42, 'userid' => 7, 'pid' => 3, 'serverid' => 1, 'domain' => 'marta.example', 'username' => 'marta',
            'password' => self::PASSWORD, 'producttype' => 'hostingaccount', 'moduletype' => 'keyturn',
            'configoption1' => '', 'configoption2' => 'temporary', 'customfields' => [], 'configoptions' => [],
            'clientsdetails' => ['userid' => 7, 'email' => 'marta@vidal.example', 'language' => ''],
            'server' => true, 'serverip' => '192.0.2.1', 'serverhostname' => $parts['host'], 'serverusername' => '',
            'serverpassword' => self::TOKEN, 'serveraccesshash' => '', 'serversecure' => $parts['scheme'] === 'https',
            'serverport' => $parts['port'], 'model' => $this->model,
        ];
    }

    /** @return array<string, array{string, string}> As in WHMCS's own sample tests. */
    public function functions(): array
    {
        $functions = ['ConfigOptions' => 'array', 'MetaData' => 'array', 'CreateAccount' => 'string', 'SuspendAccount' => 'string',
            'UnsuspendAccount' => 'string', 'TerminateAccount' => 'string', 'ChangePassword' => 'string', 'ChangePackage' => 'string',
            'TestConnection' => 'array', 'AdminCustomButtonArray' => 'array', 'ClientAreaCustomButtonArray' => 'array',
            'AdminServicesTabFields' => 'array', 'AdminServicesTabFieldsSave' => 'NULL', 'ServiceSingleSignOn' => 'array',
            'AdminSingleSignOn' => 'array', 'ClientArea' => 'array', 'ResetAndMail' => 'string', 'SendLink' => 'string',
            'Settle' => 'string'];
        $all = [];
        foreach ($functions as $function => $type) {
            $all[$function] = [$function, $type];
        }
        return $all;
    }

    /** @dataProvider functions */
    public function testEachFunctionThatThereIsTakesNothingAndAnswersItsType(string $function, string $type): void
    {
        $isThere = function_exists('keyturn_' . $function);
        self::assertSame(!in_array($function, ['ChangePackage', 'ClientAreaCustomButtonArray', 'AdminServicesTabFieldsSave',
            'ServiceSingleSignOn', 'AdminSingleSignOn'], true), $isThere, 'what is not supported is not defined');
        if ($isThere) {
            $result = ('keyturn_' . $function)([]);
            self::assertSame($type, gettype($result));
            self::assertNotSame('success', $result);
        }
    }

    /** @dataProvider nonsense */
    public function testNoParamsAreTakenForSuccess(array $params): void
    {
        foreach (['ChangePassword', 'ResetAndMail', 'SendLink', 'Settle', 'CreateAccount'] as $function) {
            $text = ('keyturn_' . $function)($params);
            self::assertIsString($text);
            self::assertNotSame('success', $text, $function);
        }
        self::assertFalse(keyturn_TestConnection($params)['success']);
        self::assertSame([], keyturn_AdminServicesTabFields($params));
        self::assertIsArray(keyturn_ClientArea($params));
        Secrets::assertNone(Whmcs::logged(), self::PASSWORD, self::TOKEN);
    }

    /** @return array<string, array{array<string, mixed>}> */
    public function nonsense(): array
    {
        $this->setUp();
        $good = $this->params('http://127.0.0.1:1');
        $cases = ['nothing' => [[]], 'nulls' => [array_fill_keys(array_keys($good), null)],
            'lists' => [array_fill_keys(array_keys($good), [['x']])], 'no model' => [['model' => null] + $good],
            'http elsewhere' => [['serverhostname' => 'panel.example'] + $good], 'no token' => [['serverpassword' => ''] + $good],
            'no host' => [['serverhostname' => '', 'serverip' => ''] + $good], 'no service' => [['serviceid' => 0] + $good]];
        return $cases;
    }

    public function testWhatTheHostCannotDoIsNeverASuccess(): void
    {
        $host = new FakeHost([]);
        foreach (['CreateAccount', 'SuspendAccount', 'UnsuspendAccount', 'TerminateAccount'] as $function) {
            $text = ('keyturn_' . $function)($this->params($host->address));
            self::assertStringContainsString('passwords only', $text);
        }
        self::assertSame([], $host->requests());
    }

    public function testMetaDataAndOptionsAreOfTheFormThatWhmcsReads(): void
    {
        self::assertSame('1.1', keyturn_MetaData()['APIVersion']);
        self::assertTrue(keyturn_MetaData()['RequiresServer']);
        foreach (keyturn_ConfigOptions() as $option) {
            self::assertContains($option['Type'], ['text', 'password', 'yesno', 'dropdown', 'radio', 'textarea']);
        }
        self::assertSame(['account-field', 'reset-mode'], array_keys(keyturn_ConfigOptions()), 'configoption1, configoption2');
        foreach (keyturn_AdminCustomButtonArray() as $label => $suffix) {
            self::assertTrue(function_exists('keyturn_' . $suffix), $label);
        }
        self::assertArrayHasKey('Reset & mail password', keyturn_AdminCustomButtonArray());
    }

    public function testSuccessIsSaidWhenTheHostHasConfirmedItAndTheLogHoldsNoSecret(): void
    {
        $host = new FakeHost([...FakeHost::own(), FakeHost::changed()]);
        self::assertSame('success', keyturn_ChangePassword($this->params($host->address)));
        self::assertSame(['account' => 'customer:1', 'new' => self::PASSWORD, 'must_change' => false], $host->bodies()[2]);
        self::assertStringContainsString('named=marta%40vidal.example ', $host->requests()[0]);
        self::assertStringContainsString('named=marta ', $host->requests()[1]);
        self::assertSame('', $this->model->serviceProperties->get('Keyturn operations'));
        self::assertCount(1, Whmcs::$log);
        [$module, $action, $request, $response, , $replaced] = Whmcs::$log[0];
        self::assertSame(['keyturn', 'password/set-password', []], [$module, $action, $replaced]);
        self::assertSame('********', json_decode($request, true)['new'], 'by key, in one width');
        self::assertSame(['outcome' => 'done', 'code' => 'done'], json_decode($response, true));
        Secrets::assertNone(Whmcs::logged(), self::PASSWORD, self::TOKEN, 'e1-epoch');
    }

    /** @dataProvider failures */
    public function testWhateverElseHappensIsToldInPlainTextAndNothingOfTheInside(array $steps, string $word): void
    {
        $host = new FakeHost($steps);
        $params = $this->params($host->address);
        $text = keyturn_ChangePassword($params);
        self::assertNotSame('success', $text);
        self::assertStringContainsString($word, $text);
        self::assertDoesNotMatchRegularExpression('/[<>]|127\.0\.0\.1|curl|HTTP|JSON|kt_|customer:1|step-up/i', $text);
        Secrets::assertNone($text . Whmcs::logged(), self::PASSWORD, self::TOKEN);
    }

    /** @return array<string, array{array<int, array<string, mixed>>, string}> */
    public function failures(): array
    {
        $echo = ['detail' => 'It was ' . self::PASSWORD . ' and ' . base64_encode(self::PASSWORD)];
        $invalid = ['errors' => [['path' => 'new', 'code' => 'too-short', 'message' => 'This has 3 characters.']]];
        return [
            'down' => [[['reset' => true]], 'did not answer'],
            'nobody has the name' => [[FakeHost::named('customer:1', 'email'), FakeHost::answer(200, ['accounts' => []])], 'No account'],
            'an address of two' => [[FakeHost::named('customer:1', 'email'), FakeHost::answer(200, ['accounts' => [['account' => 'customer:1', 'matched' => 'email'],
                ['account' => 'customer:2', 'matched' => 'email']]])], 'More than one'],
            'too old a host' => [[FakeHost::problem(404, 'no-such-address')], 'did not let this request in'],
            'a key that may not' => [[...FakeHost::own(), FakeHost::problem(403, 'step-up', $echo)], 'did not let this request in'],
            'too short' => [[...FakeHost::own(), FakeHost::problem(422, 'invalid', $invalid)], 'This has 3 characters.'],
            'busy' => [[...FakeHost::own(), FakeHost::problem(503, 'busy', $echo, ['Retry-After' => '5'])], 'busy'],
            'a fault' => [[...FakeHost::own(), FakeHost::problem(500, 'plugin', $echo)], 'fault'],
            'a long tale with it at its end' => [[...FakeHost::own(), FakeHost::problem(422, 'refused',
                ['detail' => str_repeat('x', 385) . self::PASSWORD])], 'xxx'],
            'a sentence with it' => [[...FakeHost::own(), FakeHost::problem(422, 'invalid',
                ['errors' => [['path' => 'new', 'code' => 'known', 'message' => self::PASSWORD . ' is known.']]])], 'is known.'],
            'reset' => [[...FakeHost::own(), ['reset' => true]], 'may or may not'],
            'HTML' => [[...FakeHost::own(), FakeHost::answer(200, '<b>success</b>', 'text/html')], 'may or may not'],
            'success as a word' => [[...FakeHost::own(), FakeHost::answer(200, '"success"')], 'may or may not'],
            'a sentence that is the word' => [[...FakeHost::own(), FakeHost::problem(422, 'refused', ['detail' => 'Success'])], 'The outcome is unknown'],
        ];
    }

    public function testASentenceIsInTheClientsLanguage(): void
    {
        $host = new FakeHost([...FakeHost::own(), FakeHost::problem(500, 'plugin')]);
        $text = keyturn_ChangePassword($this->params($host->address, ['clientsdetails' => ['language' => 'spanish', 'email' => 'm@x.example']]));
        self::assertStringContainsString('tuvo un fallo', $text);
        self::assertStringContainsString('Accept-Language: es', $host->requests()[2]);
    }

    public function testThePasswordIsTheOneThatWhmcsHandsOverUnlessTheOneRuleIsSet(): void
    {
        $cases = ['fish &amp; chips &amp;lt; &#039;', '  spaces  ', 'R&D <x> "y"'];
        $local = Packed::folder('whmcs') . '/modules/servers/keyturn/local.php';
        foreach ([false, true] as $decodes) {
            file_put_contents($local, '<?php return ["decode-entities" => ' . var_export($decodes, true) . '];');
            foreach ($cases as $case) {
                $host = new FakeHost([...FakeHost::own(), FakeHost::changed()]);
                $params = $this->params($host->address, ['password' => $case]);
                self::assertSame('success', keyturn_ChangePassword($params));
                $expected = $decodes && $case === $cases[0] ? "fish & chips &lt; '" : $case;
                self::assertSame($expected, $host->bodies()[2]['new']);
                Secrets::assertNone(Whmcs::logged(), trim($case), $expected);
            }
            unlink($local);
        }
    }

    public function testWhatLocalPhpSaysHolds(): void
    {
        $authority = new Authority();
        $local = Packed::folder('whmcs') . '/modules/servers/keyturn/local.php';
        $steps = [FakeHost::answer(200, ['state' => 'not_done', 'hook' => null, 'answer' => null]), FakeHost::answer(200, ['accounts' => []])];
        $host = new FakeHost($steps, $authority->certificate('IP:127.0.0.1'));
        $untrusted = keyturn_TestConnection($this->params($host->address));
        self::assertFalse($untrusted['success']);
        self::assertStringContainsString('not safe', $untrusted['error']);
        file_put_contents($local, '<?php return ' . var_export(['ca-file' => $authority->caFile, 'sign' => false], true) . ';');
        try {
            self::assertSame(['success' => true, 'error' => ''], keyturn_TestConnection($this->params($host->address)));
            self::assertStringContainsString('Bearer ' . self::TOKEN, $host->requests()[0]);
        } finally {
            unlink($local);
        }
        $example = require dirname(__DIR__, 2) . '/whmcs/modules/servers/keyturn/local.example.php';
        self::assertFalse($example['decode-entities']);
        self::assertSame([5, 10, true], [$example['connect-seconds'], $example['total-seconds'], $example['sign']]);
    }

    public function testTheAccountMayStandInACustomFieldThatStaffAloneFillIn(): void
    {
        $host = new FakeHost([FakeHost::changed()]);
        $params = $this->params($host->address, ['configoption1' => 'Panel account', 'customfields' => ['Panel account' => 'customer:10']]);
        Whmcs::field('Panel account', ' customer:9 ');
        self::assertSame('success', keyturn_ChangePassword($params));
        self::assertSame('customer:9', $host->bodies()[0]['account']);
        foreach (['', 'nine', "customer:9\ncustomer:10"] as $wrong) {
            Capsule::table('tblcustomfieldsvalues')->update(['value' => $wrong]);
            self::assertNotSame('success', keyturn_ChangePassword($params));
        }
        Capsule::table('tblcustomfields')->delete();
        self::assertNotSame('success', keyturn_ChangePassword($params));
        self::assertCount(1, $host->requests(), 'nothing is guessed');
    }

    public function testACustomFieldThatClientsMayFillInIsNotBelieved(): void
    {
        $host = new FakeHost([]);
        $params = $this->params($host->address, ['configoption1' => 'account', 'customfields' => ['account' => 'customer:9']]);
        foreach ([['adminonly' => ''], ['adminonly' => null], ['showorder' => 'on']] as $open) {
            Capsule::table('tblcustomfields')->delete();
            Whmcs::field('account', 'customer:9');
            Whmcs::field('account|Account in the panel', 'customer:9', $open);
            foreach (['ChangePassword', 'ResetAndMail', 'SendLink'] as $function) {
                self::assertStringContainsString('is not for staff only', ('keyturn_' . $function)($params));
            }
            self::assertSame([], keyturn_ClientArea($params)['templateVariables']['keyturnLines']);
        }
        self::assertStringContainsString('must have Admin Only ticked', Whmcs::logged());
        self::assertSame([], $host->requests());
    }

    public function testAUserNameThatIsAnothersInThePanelIsNoWayToHisPassword(): void
    {
        $others = FakeHost::named('customer:66', 'email');
        $mailed = FakeHost::answer(200, ['mail' => 'm1', 'mode' => 'link', 'until' => 5, 'sessions_ended' => 0]);
        $host = new FakeHost([$others, FakeHost::named(), $others, FakeHost::named(), FakeHost::named(), $mailed]);
        $params = $this->params($host->address);
        self::assertStringContainsString('has both this user name', keyturn_ChangePassword($params));
        self::assertStringContainsString('has both', keyturn_ClientArea($params)['templateVariables']['keyturnLines']['Password']);
        self::assertStringContainsString('has both', keyturn_ChangePassword(['clientsdetails' => []] + $params), 'no address, no question');
        self::assertCount(4, $host->requests());
        self::assertSame('success', keyturn_SendLink($params), 'which goes to the address of the account itself');
    }

    public function testWhatIsLeftOpenKeepsItsKeyAndARetrySettlesIt(): void
    {
        foreach ([false, true] as $asHtml) {
            $this->model = new WhmcsModel();
            $this->model->serviceProperties->asHtml = $asHtml;
            $host = new FakeHost([...FakeHost::own(), ['reset' => true], ...FakeHost::own(), FakeHost::changed(), FakeHost::epoch()]);
            self::assertStringContainsString('may or may not', keyturn_ChangePassword($this->params($host->address)));
            self::assertStringContainsString('kt-', $this->model->serviceProperties->get('Keyturn operations'));
            Secrets::assertNone(print_r($this->model, true), self::PASSWORD, self::TOKEN);
            self::assertSame('success', keyturn_ChangePassword($this->params($host->address)));
            self::assertSame($host->keys()[2], $host->keys()[5]);
            self::assertSame('', $this->model->serviceProperties->get('Keyturn operations'));
        }
    }

    public function testALookAtTheOperationSettlesIt(): void
    {
        $done = ['state' => 'done', 'hook' => 'password/reset-and-mail', 'answer' => ['mail' => 'm1', 'mode' => 'temporary']];
        $host = new FakeHost([FakeHost::named(), ['reset' => true], FakeHost::answer(200, ['state' => 'under_way']), FakeHost::answer(200, $done)]);
        self::assertStringContainsString('may or may not', keyturn_ResetAndMail($this->params($host->address)));
        self::assertStringContainsString('still being done', keyturn_Settle($this->params($host->address)));
        self::assertSame('success', keyturn_Settle($this->params($host->address)));
        self::assertSame('success', keyturn_Settle($this->params($host->address)), 'nothing is open');
        self::assertCount(4, $host->requests());
    }

    public function testThatAPasswordWasSetIsSettledOnlyIfItIsStillTheOneThereIs(): void
    {
        $done = FakeHost::answer(200, ['state' => 'done', 'hook' => 'password/set-password',
            'answer' => ['sessions_ended' => 2, 'session_epoch' => 'e1', 'notice' => null]]);
        $host = new FakeHost([...FakeHost::own(), ['reset' => true], FakeHost::problem(503, 'busy'), FakeHost::named(), $done, FakeHost::epoch('e2')]);
        self::assertStringContainsString('may or may not', keyturn_ChangePassword($this->params($host->address)));
        self::assertStringContainsString('may or may not', keyturn_Settle($this->params($host->address)), 'whose it is cannot be asked');
        $down = $this->params('http://127.0.0.1:1');
        self::assertStringContainsString('may or may not', keyturn_ChangePassword($down), 'not that nothing was changed');
        self::assertStringContainsString('no user name', keyturn_ChangePassword(['username' => ''] + $down));
        self::assertStringContainsString('has been changed again since', keyturn_Settle($this->params($host->address)));
        self::assertSame('success', keyturn_Settle($this->params($host->address)), 'nothing is open');
    }

    public function testAClientWhoReloadsHisPageLeavesTheKeysRequestsToTheOthers(): void
    {
        $host = new FakeHost(array_fill(0, 40, FakeHost::answer(200, ['accounts' => []])));
        $_SESSION['uid'] = 7;
        for ($view = 0; $view < 30; $view++) {
            $lines = keyturn_ClientArea($this->params($host->address))['templateVariables']['keyturnLines'];
            self::assertSame($view < Pace::PER_MINUTE, $lines !== [], (string) $view);
        }
        self::assertCount(2 * Pace::PER_MINUTE, $host->requests());
        self::assertStringContainsString('too often from here', keyturn_ChangePassword($this->params($host->address)));
        self::assertCount(2 * Pace::PER_MINUTE, $host->requests());
        $_SESSION['keyturn_asked'] = array_fill(0, 10, time() - 61);
        self::assertStringContainsString('has both', keyturn_ChangePassword($this->params($host->address)), 'a minute later');
        $_SESSION['keyturn_asked'] = array_fill(0, 10, time());
        $_SESSION['adminid'] = 1;
        self::assertStringContainsString('has both', keyturn_ChangePassword($this->params($host->address)), 'staff are not held up');
    }

    public function testStaffReadTheirOwnLanguage(): void
    {
        $params = $this->params('http://127.0.0.1:1', ['clientsdetails' => ['language' => 'english', 'email' => 'm@x.example']]);
        $_SESSION['adminlang'] = 'spanish';
        self::assertStringContainsString('cannot be reached', keyturn_ChangePassword($params));
        $_SESSION['adminid'] = 1;
        self::assertStringContainsString('no responde', keyturn_ChangePassword($params));
    }

    public function testTheButtonsAreTwoWhereTheyDoTwoThings(): void
    {
        self::assertArrayHasKey('Reset & mail password', keyturn_AdminCustomButtonArray($this->params('http://127.0.0.1:1')));
        $link = keyturn_AdminCustomButtonArray($this->params('http://127.0.0.1:1', ['configoption2' => 'link']));
        self::assertSame(['SendLink', 'Settle'], array_values($link));
    }

    public function testNoFunctionOfOursIsOneThatWhmcsCouldTakeForItsOwn(): void
    {
        preg_match_all('/^function (\w+)/m', (string) file_get_contents(Packed::folder('whmcs') . '/modules/servers/keyturn/keyturn.php'), $ours);
        $buttons = ['ResetAndMail', 'SendLink', 'Settle'];
        $known = array_map(static fn (string $name): string => 'keyturn_' . $name, array_merge(array_keys($this->functions()), $buttons));
        self::assertSame([], array_diff($ours[1], $known));
    }

    public function testWhereTheKeyCannotBeKeptNothingIsSent(): void
    {
        $this->model->serviceProperties->fails = true;
        $host = new FakeHost([...FakeHost::own(), FakeHost::changed()]);
        $text = keyturn_ChangePassword($this->params($host->address));
        self::assertStringContainsString('Nothing was changed', $text);
        self::assertStringNotContainsString('SQLSTATE', $text);
        self::assertCount(2, $host->requests());
    }

    public function testAnEmptyPasswordIsNotSent(): void
    {
        $host = new FakeHost([]);
        foreach (['', null, []] as $empty) {
            self::assertStringContainsString('new password is empty', keyturn_ChangePassword($this->params($host->address, ['password' => $empty])));
        }
        self::assertSame([], $host->requests());
    }

    public function testTheButtonsMailWhatTheProductSays(): void
    {
        $reset = static function (string $mode): array {
            return FakeHost::answer(200, ['mail' => 'm1', 'mode' => $mode, 'until' => 5, 'sessions_ended' => 1]);
        };
        $host = new FakeHost([FakeHost::named(), $reset('temporary'), FakeHost::named(), $reset('permanent'), FakeHost::named(), $reset('link')]);
        self::assertSame('success', keyturn_ResetAndMail($this->params($host->address)));
        self::assertSame('success', keyturn_ResetAndMail($this->params($host->address, ['configoption2' => 'permanent'])));
        self::assertSame('success', keyturn_SendLink($this->params($host->address)));
        self::assertSame(['temporary', 'permanent', 'link'], array_column($host->bodies(), 'mode'));
    }

    public function testStatusAndDeliveryAreShownAndEscaped(): void
    {
        $status = ['state' => 'temporary', 'until' => 1795525331000, 'changed' => 1795438931000, 'last_mail' => 'm1'];
        $mail = ['mail' => 'm1', 'account' => 'customer:1', 'state' => 'refused', 'to' => 'marta@vidal.example', 'attempts' => 1,
            'answer' => '550 5.1.1 <script>alert(1)</script>', 'server' => 'mx', 'changed_at' => 1, 'next_attempt' => null,
            'sentence' => 'Their server said "no" & kept it.'];
        $steps = [FakeHost::named(), FakeHost::answer(200, $status), FakeHost::answer(200, $mail)];
        $host = new FakeHost(array_merge($steps, [FakeHost::named('customer:1', 'email')], $steps));
        $fields = keyturn_AdminServicesTabFields($this->params($host->address));
        self::assertStringContainsString('A temporary password works until 2026-11-24 13:02 UTC', $fields['Password']);
        self::assertStringContainsString('Their server said &quot;no&quot; &amp; kept it.', $fields['Last email (times in UTC)']);
        self::assertStringContainsString('550 5.1.1', $fields['Last email (times in UTC)']);
        self::assertStringNotContainsString('<', implode('', $fields));

        $area = keyturn_ClientArea($this->params($host->address));
        $smarty = new Smarty();
        $smarty->setTemplateDir(Packed::folder('whmcs') . '/modules/servers/keyturn');
        $smarty->setCompileDir(Packed::folder('whmcs') . '/compiled');
        $smarty->assign($area['templateVariables']);
        $html = $smarty->fetch($area['tabOverviewModuleOutputTemplate']);
        self::assertStringNotContainsString('550 5.1.1', $html, 'what a server said is for staff');
        self::assertStringContainsString('&amp; kept it.', $html);
    }

    public function testAHostThatDoesNotAnswerLeavesThePageStanding(): void
    {
        $host = new FakeHost([['wait' => 30]]);
        $began = microtime(true);
        $fields = keyturn_AdminServicesTabFields($this->params($host->address));
        self::assertLessThan(8, microtime(true) - $began);
        self::assertStringContainsString('Not known right now', $fields['Password']);
    }

    public function testTheOrderOfTheOptionsIsTheOneThatIsRead(): void
    {
        $module = new ServerModule(['configoption2' => 'link']);
        self::assertSame('link', $module->resetMode());
        self::assertSame('temporary', (new ServerModule(['configoption2' => 'by pigeon']))->resetMode());
        self::assertSame('permanent', (new ServerModule(['configoption2' => 'permanent']))->resetMode());
    }
}
