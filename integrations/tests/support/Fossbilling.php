<?php

declare(strict_types=1);

/** FOSSBilling's classes around a server manager in the form in which they are published; none of its code. */
abstract class Server_Manager
{
    protected array $_config = ['ip' => null, 'host' => null, 'secure' => false, 'username' => null, 'password' => null,
        'accesshash' => null, 'config' => null, 'port' => null, 'passwordLength' => null];
    private $log;

    public function __construct(array $options)
    {
        foreach ($options as $name => $value) {
            if (isset($value)) {
                $this->_config[$name] = $name === 'secure' ? (bool) $value : $value;
            }
        }
        $this->init();
    }

    protected function init()
    {
    }

    public static function getSecretFields(): array
    {
        return [];
    }

    public function getLog()
    {
        return $this->log;
    }

    public function setLog($log): self
    {
        $this->log = $log;
        return $this;
    }

    abstract public function getLoginUrl(?Server_Account $account);

    abstract public function getResellerLoginUrl(?Server_Account $account);

    abstract public function testConnection();

    abstract public function createAccount(Server_Account $account);

    abstract public function synchronizeAccount(Server_Account $account);

    abstract public function suspendAccount(Server_Account $account);

    abstract public function unsuspendAccount(Server_Account $account);

    abstract public function cancelAccount(Server_Account $account);

    abstract public function changeAccountPassword(Server_Account $account, string $newPassword);

    abstract public function changeAccountUsername(Server_Account $account, string $newUsername);

    abstract public function changeAccountDomain(Server_Account $account, string $newDomain);

    abstract public function changeAccountIp(Server_Account $account, string $newIp);

    abstract public function changeAccountPackage(Server_Account $account, Server_Package $package);
}

class Server_Account
{
    private ?string $username = null;
    private ?Server_Client $client = null;

    public function getClient(): ?Server_Client
    {
        return $this->client;
    }

    public function setClient(?Server_Client $client): self
    {
        $this->client = $client;
        return $this;
    }

    public function getUsername(): ?string
    {
        return $this->username;
    }

    public function setUsername(?string $username): self
    {
        $this->username = $username;
        return $this;
    }
}

class Server_Client
{
    private ?string $email = null;

    public function getEmail(): ?string
    {
        return $this->email;
    }

    public function setEmail(?string $email): self
    {
        $this->email = $email;
        return $this;
    }
}

class Server_Package
{
}

class Server_Exception extends Exception
{
    public function __construct(string $message, ?array $variables = null, int $code = 0)
    {
        parent::__construct(strtr($message, $variables ?? []), $code);
    }
}

/** FOSSBilling's log into a list, with the methods that each published version has: 0.8.1 has `err` and no `error`. */
final class FossbillingLog
{
    /** @var array<int, string> */
    public array $lines = [];

    public function __call(string $method, array $arguments): void
    {
        if (!in_array($method, ['alert', 'notice', 'info', 'debug'], true)) {
            throw new RuntimeException('Bad log priority');
        }
        $this->lines[] = $arguments[0];
    }
}
