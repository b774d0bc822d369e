<?php

declare(strict_types=1);

/** What WHMCS gives its modules, as its documents publish it: no code of WHMCS is here, and none is run. */
final class Whmcs
{
    /** @var array<int, array<int, mixed>> Each call of logModuleCall, as it came. */
    public static array $log = [];
    /** @var array<string, array<int, callable>> */
    public static array $hooks = [];
    public static bool $tokenIsGood = true;
    /** @var array<int, string> What check_token was asked for. */
    public static array $tokenChecks = [];
    public static bool $mayOperate = true;

    public static function reset(): void
    {
        self::$log = [];
        self::$tokenIsGood = true;
        self::$tokenChecks = [];
        self::$mayOperate = true;
        $_POST = $_GET = $_REQUEST = $_SESSION = [];
        $_SERVER['REQUEST_METHOD'] = 'GET';
    }

    /** Everything that went into the log, as one text. */
    public static function logged(): string
    {
        return print_r(self::$log, true) . json_encode(self::$log) . json_encode(self::$log, JSON_UNESCAPED_UNICODE);
    }

    /** @return array<int, mixed> What each function of a hook point answers. */
    public static function run(string $point, array $vars): array
    {
        return array_map(static function (callable $hook) use ($vars) {
            return $hook($vars);
        }, self::$hooks[$point] ?? []);
    }
}

/** The model of a service: only what the documents of service properties say. */
final class WhmcsModel
{
    public WhmcsProperties $serviceProperties;

    public function __construct()
    {
        $this->serviceProperties = new WhmcsProperties();
    }
}

final class WhmcsProperties
{
    /** @var array<string, string> */
    public array $kept = [];
    /** What a custom field does with quotes. */
    public bool $asHtml = false;
    public bool $fails = false;

    public function save(array $properties): void
    {
        if ($this->fails) {
            throw new Exception('SQLSTATE[HY000]: it cannot be written');
        }
        foreach ($properties as $name => $value) {
            $this->kept[$name] = $this->asHtml ? htmlspecialchars($value, ENT_QUOTES) : $value;
        }
    }

    public function get(string $name): string
    {
        return $this->kept[$name] ?? '';
    }
}

/** check_token ends the request; here it ends the call. */
final class WhmcsTokenRefused extends Exception
{
}

if (!defined('WHMCS')) {
    define('WHMCS', true);

    function logModuleCall(...$arguments): void
    {
        Whmcs::$log[] = $arguments;
    }

    function add_hook(string $point, int $priority, callable $hook): void
    {
        Whmcs::$hooks[$point][] = $hook;
    }

    function generate_token(string $kind = 'form'): string
    {
        return $kind === 'plain' ? 'token-of-the-session' : '<input type="hidden" name="token" value="token-of-the-session">';
    }

    function check_token(string $namespace = 'WHMCS.default'): void
    {
        Whmcs::$tokenChecks[] = $namespace;
        if (!Whmcs::$tokenIsGood || ($_POST['token'] ?? '') !== 'token-of-the-session') {
            throw new WhmcsTokenRefused();
        }
    }

    function checkPermission(string $permission, bool $return = false): bool
    {
        if (!$return) {
            throw new LogicException('it would end the request');
        }
        return $permission === 'Perform Server Operations' && Whmcs::$mayOperate;
    }
}
