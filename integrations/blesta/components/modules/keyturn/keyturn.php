<?php

require_once __DIR__ . '/lib/client/autoload.php';

use Keyturn\Client\Client;
use Keyturn\Client\FileKeys;
use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Client\Settings;

/**
 * Blesta's module for a panel whose passwords Keyturn looks after. It changes passwords, mails them, and says of everything else
 * that it does not. Blesta keeps the user name of a service and never its password.
 */
class Keyturn extends Module
{
    /** What a server is set up with => whether Blesta stores it encrypted. */
    private const ROW = ['server_name' => 0, 'address' => 0, 'token' => 1, 'reset_mode' => 0, 'ca_file' => 0, 'seconds' => 0, 'folder' => 0];

    public function __construct()
    {
        $this->loadConfig(__DIR__ . DIRECTORY_SEPARATOR . 'config.json');
        Loader::loadComponents($this, ['Input']);
        Language::loadLang('keyturn', null, __DIR__ . DIRECTORY_SEPARATOR . 'language' . DIRECTORY_SEPARATOR);
    }

    public function getClientTabs($package)
    {
        return ['tabClientPassword' => Language::_('Keyturn.tab_password', true)];
    }

    public function getAdminTabs($package)
    {
        return ['tabAdminPassword' => Language::_('Keyturn.tab_password', true)];
    }

    public function getGroupOrderOptions()
    {
        return ['first' => Language::_('Keyturn.order_first', true)];
    }

    public function selectModuleRow($module_group_id)
    {
        if (!isset($this->ModuleManager)) {
            Loader::loadModels($this, ['ModuleManager']);
        }
        $group = $this->ModuleManager->getGroup($module_group_id);
        foreach ($group ? $group->rows : [] as $row) {
            return $row->id;
        }
        return 0;
    }

    public function manageModule($module, array &$vars)
    {
        return $this->drawn('manage', ['module' => $module, 'vars' => (object) $vars], ['Html', 'Widget']);
    }

    public function manageAddRow(array &$vars)
    {
        return $this->drawnRow($vars);
    }

    public function manageEditRow($module_row, array &$vars)
    {
        // What is stored encrypted is not drawn: an empty field leaves the token as it is.
        $vars += array_diff_key((array) $module_row->meta, ['token' => '']);
        return $this->drawnRow($vars);
    }

    public function addModuleRow(array &$vars)
    {
        return $this->row($vars);
    }

    public function editModuleRow($module_row, array &$vars)
    {
        if (($vars['token'] ?? '') === '') {
            $vars['token'] = $module_row->meta->token ?? '';
        }
        return $this->row($vars);
    }

    public function deleteModuleRow($module_row)
    {
    }

    public function getAdminAddFields($package, $vars = null)
    {
        return $this->fields($vars, false);
    }

    public function getClientAddFields($package, $vars = null)
    {
        return new ModuleFields();
    }

    public function getAdminEditFields($package, $vars = null)
    {
        return $this->fields($vars, true);
    }

    public function validateService($package, ?array $vars = null)
    {
        return $this->validateUsername($vars ?? []);
    }

    public function validateServiceEdit($service, ?array $vars = null)
    {
        return !isset($vars['keyturn_username']) || $this->validateUsername($vars);
    }

    public function addService($package, ?array $vars = null, $parent_package = null, $parent_service = null, $status = 'pending')
    {
        if (($vars['use_module'] ?? 'true') === 'true') {
            $this->fail('create', Language::_('Keyturn.!error.passwords_only', true));
            return null;
        }
        if (!$this->validateService($package, $vars)) {
            return null;
        }
        return [['key' => 'keyturn_username', 'value' => $vars['keyturn_username'], 'encrypted' => 0]];
    }

    /** Changes the password, if one is there. A user name is what Blesta knows the account by: it is kept, and changes nothing there. */
    public function editService(
        $package,
        $service,
        #[\SensitiveParameter]
        ?array $vars = null,
        $parent_package = null,
        $parent_service = null
    ) {
        $username = $vars['keyturn_username'] ?? $this->usernameOf($service);
        if (!$this->validateServiceEdit($service, $vars)) {
            return null;
        }
        $new = $vars['keyturn_password'] ?? '';
        if ($new !== '') {
            if (($vars['use_module'] ?? 'true') !== 'true') {
                $this->fail('password', Language::_('Keyturn.!error.without_module', true));
                return null;
            }
            if (!$this->changed($service, $username, $new)) {
                return null;
            }
        }
        return [['key' => 'keyturn_username', 'value' => $username, 'encrypted' => 0]];
    }

    public function suspendService($package, $service, $parent_package = null, $parent_service = null)
    {
        $this->fail('suspend', Language::_('Keyturn.!error.passwords_only', true));
    }

    public function unsuspendService($package, $service, $parent_package = null, $parent_service = null)
    {
        $this->fail('unsuspend', Language::_('Keyturn.!error.passwords_only', true));
    }

    public function cancelService($package, $service, $parent_package = null, $parent_service = null)
    {
        $this->fail('cancel', Language::_('Keyturn.!error.passwords_only', true));
    }

    public function changeServicePackage($package_from, $package_to, $service, $parent_package = null, $parent_service = null)
    {
        $this->fail('package', Language::_('Keyturn.!error.passwords_only', true));
    }

    /** The client's form. */
    public function tabClientPassword(
        $package,
        $service,
        ?array $get = null,
        #[\SensitiveParameter]
        ?array $post = null,
        ?array $files = null
    ) {
        $done = false;
        if (!empty($post)) {
            $new = $post['keyturn_password'] ?? '';
            if ($new === '' || $new !== ($post['keyturn_confirm_password'] ?? null)) {
                $this->fail('password', Language::_('Keyturn.!error.not_same', true));
            } else {
                $done = $this->changed($service, $this->usernameOf($service), $new);
            }
        }
        return $this->drawn('tab_client_password', ['service_id' => $service->id, 'done' => $done], ['Form', 'Html']);
    }

    /** Staff's buttons. */
    public function tabAdminPassword($package, $service, ?array $get = null, ?array $post = null, ?array $files = null)
    {
        $done = false;
        // Where a link is mailed, both buttons would do the same.
        $modes = array_unique([$this->resetMode(), 'link']);
        $mode = $post['keyturn_mode'] ?? '';
        if (in_array($mode, $modes, true)) {
            $username = $this->usernameOf($service);
            $done = $this->confirmed('mail', function (Passwords $passwords) use ($username, $mode): Outcome {
                return $passwords->resetAndMail($username, $mode);
            });
        }
        $shown = ['service_id' => $service->id, 'client_id' => $service->client_id ?? null, 'modes' => $modes, 'done' => $done];
        return $this->drawn('tab_admin_password', $shown, ['Form', 'Html']);
    }

    /** Whether the host confirmed a new password; if not, the error is set. @param mixed $new */
    private function changed(
        $service,
        string $username,
        #[\SensitiveParameter]
        $new
    ): bool {
        if (!is_string($new)) {
            $this->fail('password', Language::_('Keyturn.!error.not_same', true));
            return false;
        }
        $email = $this->emailOf($service);
        return $this->confirmed('change', function (Passwords $passwords) use ($username, $email, $new): Outcome {
            return $passwords->change($username, $email, $new);
        });
    }

    private function usernameOf($service): string
    {
        $username = $this->serviceFieldsToObject($service->fields)->keyturn_username ?? '';
        return is_string($username) ? $username : '';
    }

    private function resetMode(): string
    {
        return Passwords::mode($this->getModuleRow()->meta->reset_mode ?? '');
    }

    /** The client's address in Blesta; empty: there is none. */
    private function emailOf($service): string
    {
        Loader::loadModels($this, ['Clients']);
        $client = isset($service->client_id) ? $this->Clients->get($service->client_id, false) : false;
        return is_object($client) ? (string) ($client->email ?? '') : '';
    }

    /** Whether the host confirmed it; if not, the error is set, and logged. */
    private function confirmed(string $what, callable $does): bool
    {
        $row = $this->getModuleRow();
        try {
            $outcome = $does(new Passwords($this->client((array) ($row->meta ?? [])), new FileKeys($row->meta->folder ?? '')));
        } catch (InvalidSettings $cause) {
            $outcome = Outcome::refused('not-set-up', Language::_('Keyturn.!error.not_set_up', true))->withDetail($cause->getMessage());
        }
        $told = (string) json_encode($outcome->forLog(), JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        $this->log(($row->meta->address ?? '') . '|' . $what, $told, 'output', $outcome->isDone());
        if (!$outcome->isDone()) {
            $this->fail($what, $outcome->getSentence());
        }
        return $outcome->isDone();
    }

    private function client(
        #[\SensitiveParameter]
        array $meta
    ): Client {
        return new Client(new Settings([
            'address' => $meta['address'] ?? '',
            'token' => $meta['token'] ?? '',
            'ca-file' => $meta['ca_file'] ?? '',
            'total-seconds' => empty($meta['seconds']) ? Settings::TOTAL : $meta['seconds'],
            'language' => strncmp((string) (Configure::get('Blesta.language') ?? ''), 'es', 2) === 0 ? 'es' : 'en',
        ]));
    }

    /** A server's settings, tried on the host before Blesta stores them. */
    private function row(
        #[\SensitiveParameter]
        array $vars
    ): ?array {
        try {
            $outcome = $this->client($vars)->test();
        } catch (InvalidSettings $cause) {
            $this->fail('address', $cause->getMessage());
            return null;
        }
        if (!$outcome->isDone()) {
            $this->fail('address', $outcome->getSentence() . ' (' . $outcome->getDetail() . ')');
            return null;
        }
        $meta = [];
        foreach (self::ROW as $key => $encrypted) {
            $value = $vars[$key] ?? '';
            $meta[] = ['key' => $key, 'value' => is_scalar($value) ? trim((string) $value) : '', 'encrypted' => $encrypted];
        }
        return $meta;
    }

    private function validateUsername(array $vars): bool
    {
        if (!is_string($vars['keyturn_username'] ?? null) || trim($vars['keyturn_username']) === '') {
            $this->fail('keyturn_username', Language::_('Keyturn.!error.username', true));
            return false;
        }
        return true;
    }

    private function fields($vars, bool $withPassword): ModuleFields
    {
        $fields = new ModuleFields();
        $username = $fields->label(Language::_('Keyturn.username', true), 'keyturn_username');
        $username->attach($fields->fieldText('keyturn_username', $vars->keyturn_username ?? null, ['id' => 'keyturn_username']));
        $fields->setField($username);
        if ($withPassword) {
            $password = $fields->label(Language::_('Keyturn.new', true), 'keyturn_password');
            $password->attach($fields->fieldPassword('keyturn_password', ['id' => 'keyturn_password', 'autocomplete' => 'new-password']));
            $fields->setField($password);
        }
        return $fields;
    }

    private function fail(string $field, string $sentence): void
    {
        $this->Input->setErrors([$field => ['keyturn' => $sentence]]);
    }

    private function drawnRow(array $vars): string
    {
        $modes = [];
        foreach (Passwords::MODES as $mode) {
            $modes[$mode] = Language::_('Keyturn.mode.' . $mode, true);
        }
        return $this->drawn('row', ['vars' => (object) $vars, 'modes' => $modes], ['Form', 'Html', 'Widget']);
    }

    private function drawn(string $view, array $shown, array $helpers): string
    {
        $this->view = new View($view, 'default');
        $this->view->base_uri = $this->base_uri;
        $this->view->setDefaultView('components' . DIRECTORY_SEPARATOR . 'modules' . DIRECTORY_SEPARATOR . 'keyturn' . DIRECTORY_SEPARATOR);
        Loader::loadHelpers($this, $helpers);
        foreach ($shown as $name => $value) {
            $this->view->set($name, $value);
        }
        return $this->view->fetch();
    }
}
