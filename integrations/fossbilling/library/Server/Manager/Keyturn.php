<?php

declare(strict_types=1);

// Not beside this file: FOSSBilling takes every file below Server/Manager for a manager.
require_once __DIR__ . '/../../Keyturn/client/autoload.php';

use Keyturn\Client\Client;
use Keyturn\Client\FileKeys;
use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Client\Sentences;
use Keyturn\Client\Settings;

/**
 * FOSSBilling's server manager for a panel whose passwords Keyturn looks after. It changes passwords, and says of everything else
 * that it does not.
 */
class Server_Manager_Keyturn extends Server_Manager
{
    public static function getForm(): array
    {
        return [
            'label' => 'Keyturn (passwords)',
            'form' => [
                'credentials' => [
                    'fields' => [
                        [
                            'name' => 'accesshash',
                            'type' => 'text',
                            'label' => 'Token',
                            'placeholder' => 'As printed by keyturn keys add',
                            'required' => true,
                            'secret' => true,
                        ],
                    ],
                ],
            ],
        ];
    }

    public static function getSecretFields(): array
    {
        return ['accesshash'];
    }

    public function getLoginUrl(?Server_Account $account = null): string
    {
        $local = $this->local();
        return is_string($local['login-url'] ?? null) ? $local['login-url'] : $this->address() . '/';
    }

    public function getResellerLoginUrl(?Server_Account $account = null): string
    {
        return $this->getLoginUrl($account);
    }

    public function testConnection(): bool
    {
        return $this->confirmed($this->tried()->test());
    }

    /** Nothing but the name is known of an account; that it is there is looked up. */
    public function synchronizeAccount(Server_Account $account): Server_Account
    {
        $this->confirmed($this->tried()->accountNamed((string) $account->getUsername()));
        return clone $account;
    }

    public function changeAccountPassword(
        Server_Account $account,
        #[\SensitiveParameter]
        string $newPassword
    ): bool {
        try {
            $passwords = new Passwords($this->client(), new FileKeys($this->folder()));
        } catch (InvalidSettings $cause) {
            $sentence = Sentences::of('not-set-up', (string) ($this->local()['language'] ?? 'en'));
            return $this->confirmed(Outcome::refused('not-set-up', $sentence)->withDetail($cause->getMessage()));
        }
        $client = $account->getClient();
        $email = $client === null ? '' : (string) $client->getEmail();
        return $this->confirmed($passwords->change((string) $account->getUsername(), $email, $newPassword));
    }

    public function createAccount(Server_Account $account): bool
    {
        throw $this->unsupported('creating accounts');
    }

    public function suspendAccount(Server_Account $account): bool
    {
        throw $this->unsupported('suspending accounts');
    }

    public function unsuspendAccount(Server_Account $account): bool
    {
        throw $this->unsupported('unsuspending accounts');
    }

    public function cancelAccount(Server_Account $account): bool
    {
        throw $this->unsupported('cancelling accounts');
    }

    public function changeAccountUsername(Server_Account $account, string $newUsername): bool
    {
        throw $this->unsupported('changing user names');
    }

    public function changeAccountDomain(Server_Account $account, string $newDomain): bool
    {
        throw $this->unsupported('changing domains');
    }

    public function changeAccountIp(Server_Account $account, string $newIp): bool
    {
        throw $this->unsupported('changing IP addresses');
    }

    public function changeAccountPackage(Server_Account $account, Server_Package $package): bool
    {
        throw $this->unsupported('changing packages');
    }

    /** True, or what FOSSBilling shows: whatever was not confirmed is no success. */
    private function confirmed(Outcome $outcome): bool
    {
        if ($outcome->isDone()) {
            return true;
        }
        $told = (string) json_encode($outcome->forLog(), JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        // Up to 0.8.1 FOSSBilling knows no `error`, and later on `err` is but an alias: this one each of them knows.
        $this->getLog()->notice('Keyturn: ' . $told);
        throw new Server_Exception($outcome->getSentence());
    }

    private function unsupported(string $action): Server_Exception
    {
        return new Server_Exception(':type: does not support :action:', [':type:' => 'Keyturn', ':action:' => $action]);
    }

    /** @throws InvalidSettings */
    private function client(): Client
    {
        return new Client(new Settings(['address' => $this->address(), 'token' => $this->_config['accesshash']] + $this->local()));
    }

    /** For staff, who are told what is wrong with the settings. */
    private function tried(): Client
    {
        try {
            return $this->client();
        } catch (InvalidSettings $cause) {
            throw new Server_Exception($cause->getMessage());
        }
    }

    private function address(): string
    {
        $host = (string) ($this->_config['host'] ?? '');
        $host = $host === '' ? (string) ($this->_config['ip'] ?? '') : $host;
        return Settings::addressOf($host, $this->_config['port'] ?? '', (bool) $this->_config['secure']);
    }

    /** Where Idempotency-Keys are kept. */
    private function folder(): string
    {
        return (defined('PATH_DATA') ? PATH_DATA : sys_get_temp_dir()) . '/keyturn';
    }

    /** @return array<string, mixed> */
    private function local(): array
    {
        return Settings::local(dirname(__DIR__, 2) . '/Keyturn/local.php');
    }
}
