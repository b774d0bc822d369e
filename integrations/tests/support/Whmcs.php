<?php

declare(strict_types=1);

use Illuminate\Database\Capsule\Manager as Capsule;

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
        self::emptyTables();
    }

    /** The tables that the modules read, as WHMCS names them, in one database for all tests; the addon's own too, once it is made. */
    private static function emptyTables(): void
    {
        static $isMade = false;
        if (!$isMade) {
            $capsule = new Capsule();
            $capsule->addConnection(['driver' => 'sqlite', 'database' => ':memory:']);
            $capsule->setAsGlobal();
            foreach ([
                'tblclients (id INTEGER PRIMARY KEY, language TEXT, email TEXT)',
                'tblhosting (id INTEGER PRIMARY KEY, userid INTEGER, packageid INTEGER, username TEXT, domain TEXT, domainstatus TEXT)',
                'tblcustomfields (id INTEGER PRIMARY KEY, type TEXT, relid INTEGER, fieldname TEXT, adminonly TEXT, showorder TEXT)',
                'tblcustomfieldsvalues (fieldid INTEGER, relid INTEGER, value TEXT)',
                'tbladdonmodules (module TEXT, setting TEXT, value TEXT)',
            ] as $table) {
                Capsule::connection()->statement('CREATE TABLE ' . $table);
            }
            $isMade = true;
        }
        foreach (['tblclients', 'tblhosting', 'tblcustomfields', 'tblcustomfieldsvalues', 'tbladdonmodules', 'mod_keyturn_operations'] as $table) {
            if (Capsule::schema()->hasTable($table)) {
                Capsule::table($table)->delete();
            }
        }
    }

    /** A custom field of product 3 for staff alone, unless `$more` says otherwise, and what it holds for service 42. */
    public static function field(string $name, string $value, array $more = []): void
    {
        $id = Capsule::table('tblcustomfields')->insertGetId(
            $more + ['type' => 'product', 'relid' => 3, 'fieldname' => $name, 'adminonly' => 'on', 'showorder' => '']
        );
        Capsule::table('tblcustomfieldsvalues')->insert(['fieldid' => $id, 'relid' => 42, 'value' => $value]);
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
