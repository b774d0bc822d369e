<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

use Illuminate\Database\Capsule\Manager as Capsule;
use Keyturn\Client\Client;
use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Client\Sentences;
use Keyturn\Client\Settings;

/** The addon: its settings, and the services that it looks after, whatever server module they have. */
final class AddonModule
{
    public const NAME = 'keyturnaddon';
    /** How many forms of a session are remembered as sent. */
    private const SENT = 50;

    /** @var array<string, mixed> As WHMCS hands them to each function of an addon. */
    private array $settings;

    /** @param array<string, mixed> $settings */
    public function __construct(
        #[\SensitiveParameter]
        array $settings
    ) {
        $this->settings = $settings;
    }

    /**
     * A service with its client's language and address, or null: there is none, it is not this client's, or not of a product meant.
     *
     * @param ?int $client Who asks, if it is not staff.
     */
    public function service(int $id, ?int $client = null): ?object
    {
        $service = Capsule::table('tblhosting')->where('id', $id)->first();
        if ($service === null || !$this->isMeant((int) $service->packageid, $client !== null)
            || ($client !== null && (int) $service->userid !== $client)) {
            return null;
        }
        $row = Capsule::table('tblclients')->where('id', $service->userid)->first();
        $service->language = Words::languageNamed($row->language ?? '');
        $service->email = (string) ($row->email ?? '');
        return $service;
    }

    /** @return array<int, object> Those of a client that have a user name. */
    public function services(int $client): array
    {
        $found = [];
        foreach (Capsule::table('tblhosting')->where('userid', $client)->orderBy('id')->limit(200)->get() as $service) {
            if ((string) $service->username !== '' && $this->isMeant((int) $service->packageid, false)) {
                $found[] = $service;
            }
        }
        return $found;
    }

    /**
     * The passwords of a service, its sentences in this language, or why it has none here.
     *
     * @return ServicePasswords|Outcome
     */
    public function passwords(object $service, string $language)
    {
        try {
            $client = new Client(new Settings([
                'address' => $this->text('address'),
                'token' => $this->text('token'),
                'ca-file' => $this->text('ca_file'),
                'total-seconds' => $this->text('seconds') === '' ? Settings::TOTAL : $this->text('seconds'),
                'sign' => $this->text('bear') !== 'on',
                'language' => $language,
            ]));
        } catch (InvalidSettings $cause) {
            $outcome = Outcome::refused('not-set-up', Sentences::of('not-set-up', $language))->withDetail($cause->getMessage());
            Log::note(self::NAME, 'settings', ['service' => (int) $service->id], $outcome, [$this->text('token')]);
            return $outcome;
        }
        $account = '';
        if ($this->text('account_field') !== '') {
            $field = new AccountField((int) $service->packageid, $this->text('account_field'));
            if (!$field->isForStaffOnly()) {
                $outcome = Outcome::refused('open-field', Sentences::of('open-field', $language))->withDetail($field->whatToTick());
                Log::note(self::NAME, 'settings', ['service' => (int) $service->id], $outcome, [$this->text('token')]);
                return $outcome;
            }
            $account = $field->of((int) $service->id);
            if ($account === '') {
                return Outcome::refused('no-name', Sentences::of('no-name', $language));
            }
        }
        return new ServicePasswords(
            $client,
            new OperationsTable(),
            self::NAME,
            (int) $service->id,
            (string) $service->username,
            $service->email,
            $account,
            []
        );
    }

    /** A posted field, byte for byte. What WHMCS leaves in $_POST may be HTML (`&amp;` for `&`), so the body itself is read. */
    public static function typed(string $name): string
    {
        parse_str((string) file_get_contents('php://input'), $fields);
        return is_string($fields[$name] ?? null) ? $fields[$name] : '';
    }

    public function resetMode(): string
    {
        return Passwords::mode($this->text('reset_mode'));
    }

    /**
     * Whether a form is sent for the first time: one that a browser sends again, on a reload, would mail a second password.
     *
     * @param mixed $once What the form bears: see `once`.
     */
    public static function isFirst($once): bool
    {
        $sent = isset($_SESSION['keyturn_sent']) && is_array($_SESSION['keyturn_sent']) ? $_SESSION['keyturn_sent'] : [];
        if (!is_string($once) || preg_match('/^[0-9a-f]{32}\z/', $once) !== 1 || in_array($once, $sent, true)) {
            return false;
        }
        $_SESSION['keyturn_sent'] = array_slice(array_merge($sent, [$once]), -self::SENT);
        return true;
    }

    public static function once(): string
    {
        return bin2hex(random_bytes(16));
    }

    /**
     * Whether the form that was posted is one of ours, as WHMCS tells: `check_token` ends the request if not.
     */
    public static function tokenHolds(string $namespace): bool
    {
        return function_exists('check_token') && check_token($namespace) !== false;
    }

    /** Whether the one who is signed in may act on servers; the addon's page is moreover only for the roles set for it. */
    public static function staffMay(): bool
    {
        return !function_exists('checkPermission') || checkPermission('Perform Server Operations', true) === true;
    }

    /** To clients only products that are named: a user name of another server's may be somebody else's in this panel. */
    private function isMeant(int $product, bool $toClient): bool
    {
        $products = preg_split('/[\s,]+/', $this->text('products'), -1, PREG_SPLIT_NO_EMPTY) ?: [];
        return $products === [] ? !$toClient : in_array((string) $product, $products, true);
    }

    private function text(string $name): string
    {
        $text = $this->settings[$name] ?? '';
        return is_string($text) || is_int($text) ? trim((string) $text) : '';
    }
}
