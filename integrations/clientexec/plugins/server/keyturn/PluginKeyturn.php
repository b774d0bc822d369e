<?php

require_once 'modules/admin/models/ServerPlugin.php';
require_once __DIR__ . '/client/autoload.php';

use Keyturn\Client\Client;
use Keyturn\Client\FileKeys;
use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Client\Settings;

/**
 * Clientexec's server plugin for a panel whose passwords Keyturn looks after. It changes passwords, mails them, and says of
 * everything else that it does not.
 */
class PluginKeyturn extends ServerPlugin
{
    public $features = [
        'packageName' => false,
        'testConnection' => true,
        'showNameservers' => false,
        'directlink' => false,
    ];

    public function getVariables()
    {
        return [
            lang('Name') => ['type' => 'hidden', 'description' => 'Used by Clientexec to show the plugin', 'value' => 'Keyturn'],
            lang('Description') => ['type' => 'hidden', 'description' => '', 'value' => lang('Passwords of a panel, by Keyturn')],
            lang('Address') => [
                'type' => 'text',
                'description' => lang('https://panel.example:8443; http:// only for this machine, as http://127.0.0.1:8089'),
                'value' => '',
            ],
            lang('Token') => [
                'type' => 'password',
                'description' => lang('As keyturn keys add printed it'),
                'value' => '',
                'encryptable' => true,
            ],
            lang('CA File') => [
                'type' => 'text',
                'description' => lang('PEM of your own authority; empty: the authorities of the machine'),
                'value' => '',
            ],
            lang('Seconds') => ['type' => 'text', 'description' => lang('To wait, at most 30'), 'value' => '10'],
            lang('Operations Folder') => [
                'type' => 'text',
                'description' => lang('Where it is noted what is not settled; empty: among the temporary files. Not below the web root.'),
                'value' => '',
            ],
            lang('Actions') => ['type' => 'hidden', 'description' => '', 'value' => 'ResetAndMail,SendLink'],
        ];
    }

    public function testConnection($args)
    {
        $this->confirmed($this->client($args)->test());
    }

    /** The names and passwords of new accounts are the panel's affair. */
    public function validateCredentials($args)
    {
        return $args['package']['username'] ?? '';
    }

    public function getAvailableActions($userPackage)
    {
        $args = $this->buildParams($userPackage);
        return empty($args['package']['username']) ? [] : ['ResetAndMail', 'SendLink'];
    }

    public function doUpdate($args)
    {
        $userPackage = new UserPackage($args['userPackageId']);
        $this->update($this->buildParams($userPackage, $args));
        return 'The password was changed.';
    }

    /** Several changes may come at once. What cannot be done is said also when the password was changed. */
    public function update(
        #[\SensitiveParameter]
        $args
    ) {
        $changes = isset($args['changes']) && is_array($args['changes']) ? $args['changes'] : [];
        $others = array_diff(array_keys($changes), ['password']);
        $said = [];
        if (array_key_exists('password', $changes)) {
            $new = is_string($changes['password']) ? $changes['password'] : '';
            $this->confirmed($this->passwords($args)->change($this->username($args), $this->email($args), $new));
            $said[] = 'The password was changed.';
        }
        if ($others !== []) {
            throw new CE_Exception(trim(implode(' ', $said) . ' Keyturn cannot change: ' . implode(', ', $others) . '.'));
        }
        if ($said === []) {
            throw new CE_Exception('There was nothing to change.');
        }
    }

    public function doResetAndMail($args)
    {
        return $this->mailed($args, 'temporary');
    }

    public function doSendLink($args)
    {
        return $this->mailed($args, 'link');
    }

    public function doCreate($args)
    {
        throw $this->unsupported('create accounts');
    }

    public function create($args)
    {
        throw $this->unsupported('create accounts');
    }

    public function doDelete($args)
    {
        throw $this->unsupported('delete accounts');
    }

    public function delete($args)
    {
        throw $this->unsupported('delete accounts');
    }

    public function doSuspend($args)
    {
        throw $this->unsupported('suspend accounts');
    }

    public function suspend($args)
    {
        throw $this->unsupported('suspend accounts');
    }

    public function doUnSuspend($args)
    {
        throw $this->unsupported('unsuspend accounts');
    }

    public function unsuspend($args)
    {
        throw $this->unsupported('unsuspend accounts');
    }

    private function mailed($args, string $mode): string
    {
        $args = $this->buildParams(new UserPackage($args['userPackageId']));
        $this->confirmed($this->passwords($args)->resetAndMail($this->username($args), $mode));
        return 'The mail is queued.';
    }

    /** What was not confirmed is no success. */
    private function confirmed(Outcome $outcome): void
    {
        if (!$outcome->isDone()) {
            CE_Lib::log(4, 'plugin_keyturn: ' . json_encode($outcome->forLog(), JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE));
            throw new CE_Exception($outcome->getSentence());
        }
    }

    private function unsupported(string $what): CE_Exception
    {
        return new CE_Exception('Keyturn looks after passwords only: it cannot ' . $what . '. Nothing was done.');
    }

    private function username(array $args): string
    {
        $username = $args['package']['username'] ?? '';
        return is_string($username) ? $username : '';
    }

    /** The client's in Clientexec. */
    private function email(array $args): string
    {
        $email = $args['customer']['email'] ?? '';
        return is_string($email) ? $email : '';
    }

    private function passwords(
        #[\SensitiveParameter]
        array $args
    ): Passwords {
        return new Passwords($this->client($args), new FileKeys($args['server']['variables']['plugin_keyturn_Operations_Folder'] ?? ''));
    }

    private function client(
        #[\SensitiveParameter]
        $args
    ): Client {
        $variables = $args['server']['variables'] ?? [];
        try {
            return new Client(new Settings([
                'address' => $variables['plugin_keyturn_Address'] ?? '',
                'token' => $variables['plugin_keyturn_Token'] ?? '',
                'ca-file' => $variables['plugin_keyturn_CA_File'] ?? '',
                'total-seconds' => empty($variables['plugin_keyturn_Seconds']) ? Settings::TOTAL : $variables['plugin_keyturn_Seconds'],
            ]));
        } catch (InvalidSettings $cause) {
            throw new CE_Exception($cause->getMessage());
        }
    }
}
