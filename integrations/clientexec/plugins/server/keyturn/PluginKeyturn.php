<?php

require_once 'modules/admin/models/ServerPlugin.php';
require_once __DIR__ . '/client/autoload.php';

use Keyturn\Client\Client;
use Keyturn\Client\FileKeys;
use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Client\Sentences;
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
                'description' => lang('As printed by keyturn keys add'),
                'value' => '',
                'encryptable' => true,
            ],
            lang('Reset And Mail') => [
                'type' => 'text',
                'description' => lang('What ResetAndMail emails: temporary or permanent, if the panel offers it; or link, which every panel offers'),
                'value' => Passwords::MODES[0],
            ],
            lang('CA File') => [
                'type' => 'text',
                'description' => lang('PEM of your own authority; empty: the authorities of the machine'),
                'value' => '',
            ],
            lang('Seconds') => ['type' => 'text', 'description' => lang('To wait, at most 30'), 'value' => '10'],
            lang('Operations Folder') => [
                'type' => 'text',
                'description' => lang('Where unsettled attempts are recorded, outside the web root. Empty: among the temporary files'),
                'value' => '',
            ],
            lang('Actions') => ['type' => 'hidden', 'description' => '', 'value' => 'ResetAndMail,SendLink'],
        ];
    }

    public function testConnection($args)
    {
        try {
            $client = $this->client($args);
        } catch (InvalidSettings $cause) {
            throw new CE_Exception($cause->getMessage());
        }
        $this->confirmed($client->test());
    }

    /** The panel decides the names and passwords of new accounts. */
    public function validateCredentials($args)
    {
        return $args['package']['username'] ?? '';
    }

    public function getAvailableActions($userPackage)
    {
        $args = $this->buildParams($userPackage);
        if (!is_array($args) || $this->username($args) === '') {
            return [];
        }
        // Where a link is mailed, both would do the same.
        return $this->resetMode($args) === 'link' ? ['SendLink'] : ['ResetAndMail', 'SendLink'];
    }

    public function doUpdate($args)
    {
        $this->update($this->built($args, $args));
        return 'The password was changed.';
    }

    /** Several changes may come at once. What cannot be done is said also when the password was changed. */
    public function update(
        #[\SensitiveParameter]
        $args
    ) {
        $args = is_array($args) ? $args : [];
        $changes = isset($args['changes']) && is_array($args['changes']) ? $args['changes'] : [];
        $others = array_diff(array_keys($changes), ['password']);
        $said = [];
        if (array_key_exists('password', $changes)) {
            $new = is_string($changes['password']) ? $changes['password'] : '';
            $this->confirmed($this->passwords($args)->change($this->username($args), $this->email($args), $new));
            $said[] = 'The password was changed.';
        }
        if ($others !== []) {
            throw new CE_Exception(trim(implode(' ', $said) . ' Keyturn can\'t change: ' . implode(', ', $others) . '.'));
        }
        if ($said === []) {
            throw new CE_Exception('Nothing to change.');
        }
    }

    public function doResetAndMail($args)
    {
        $args = $this->built($args);
        return $this->mailed($args, $this->resetMode($args));
    }

    public function doSendLink($args)
    {
        return $this->mailed($this->built($args), 'link');
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

    /** What Clientexec says of the package that is meant. */
    private function built(
        #[\SensitiveParameter]
        $args,
        #[\SensitiveParameter]
        array $more = []
    ): array {
        if (empty($args['userPackageId'])) {
            throw new CE_Exception('Clientexec did not say which package it means. Nothing was done.');
        }
        $built = $this->buildParams(new UserPackage($args['userPackageId']), $more);
        return is_array($built) ? $built : [];
    }

    private function mailed(array $args, string $mode): string
    {
        $this->confirmed($this->passwords($args)->resetAndMail($this->username($args), $mode));
        return 'The email is queued.';
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
        return new CE_Exception('Keyturn manages passwords only: it can\'t ' . $what . '. Nothing was done.');
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
        try {
            $client = $this->client($args);
        } catch (InvalidSettings $cause) {
            // Clients see it too, so what is wrong stands in the log.
            $this->confirmed(Outcome::refused('not-set-up', Sentences::of('not-set-up', 'en'))->withDetail($cause->getMessage()));
        }
        return new Passwords($client, new FileKeys($this->variable($args, 'Operations_Folder')));
    }

    private function resetMode(array $args): string
    {
        return Passwords::mode(strtolower(trim($this->variable($args, 'Reset_And_Mail'))));
    }

    private function variable(
        #[\SensitiveParameter]
        array $args,
        string $name
    ): string {
        $value = $args['server']['variables']['plugin_keyturn_' . $name] ?? '';
        return is_string($value) ? $value : '';
    }

    /** @throws InvalidSettings */
    private function client(
        #[\SensitiveParameter]
        $args
    ): Client {
        $args = is_array($args) ? $args : [];
        $seconds = $args['server']['variables']['plugin_keyturn_Seconds'] ?? '';
        return new Client(new Settings([
            'address' => $this->variable($args, 'Address'),
            'token' => $this->variable($args, 'Token'),
            'ca-file' => $this->variable($args, 'CA_File'),
            'total-seconds' => empty($seconds) ? Settings::TOTAL : $seconds,
        ]));
    }
}
