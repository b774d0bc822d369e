<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

use Keyturn\Client\Client;
use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Client\Sentences;
use Keyturn\Client\Settings;

/** What WHMCS's `$params` mean to the server module. Nothing in them need be there. */
final class ServerModule
{
    public const NAME = 'keyturn';
    /** In the order of `keyturn_ConfigOptions`: what WHMCS hands over as configoption1, 2, … */
    private const ACCOUNT_FIELD = 'configoption1';
    private const RESET_MODE = 'configoption2';

    /** @var array<string, mixed> */
    private array $params;
    /** @var array<string, mixed> Of local.php. */
    private array $local;

    /** @param array<string, mixed> $params */
    public function __construct(
        #[\SensitiveParameter]
        array $params
    ) {
        $this->params = $params;
        $this->local = Settings::local(dirname(__DIR__) . '/local.php');
    }

    /** Staff's own in their pages; else the client's. */
    public function language(): string
    {
        if (!empty($_SESSION['adminid']) && !defined('CLIENTAREA')) {
            return Words::languageNamed($_SESSION['adminlang'] ?? '');
        }
        $client = $this->params['clientsdetails'] ?? [];
        return Words::languageNamed(is_array($client) ? $client['language'] ?? '' : '');
    }

    /** What stands for a failure before there is a client. */
    public function refused(string $code): Outcome
    {
        return Outcome::refused($code, Sentences::of($code, $this->language()));
    }

    /** What WHMCS is told, and shows to staff, and of a changed password to the client: `'success'`, or plain text. */
    public static function told(Outcome $outcome): string
    {
        if ($outcome->isDone()) {
            return 'success';
        }
        // A sentence that happened to be the word would be taken for it.
        $sentence = $outcome->getSentence();
        return $sentence === '' || strtolower(trim($sentence)) === 'success' ? 'The outcome is unknown.' : $sentence;
    }

    /** @throws InvalidSettings */
    public function client(): Client
    {
        $host = $this->text('serverhostname') !== '' ? $this->text('serverhostname') : $this->text('serverip');
        $secure = in_array($this->params['serversecure'] ?? false, [true, 1, '1', 'on'], true);
        return new Client(new Settings([
            'address' => Settings::addressOf($host, $this->text('serverport'), $secure),
            'token' => $this->params['serverpassword'] ?? '',
            'language' => $this->language(),
        ] + $this->local));
    }

    /**
     * The service's passwords, or why it has none here.
     *
     * @return ServicePasswords|Outcome
     */
    public function passwords()
    {
        try {
            $client = $this->client();
        } catch (InvalidSettings $cause) {
            $outcome = $this->refused('not-set-up')->withDetail($cause->getMessage());
            Log::note(self::NAME, 'settings', ['service' => $this->service()], $outcome, $this->secrets());
            return $outcome;
        }
        $keys = ServiceProperties::of($this->params['model'] ?? null);
        if ($keys === null || $this->service() === 0) {
            return $this->refused('not-set-up')->withDetail('WHMCS handed over no service with properties (7.2 or later).');
        }
        $name = $this->text(self::ACCOUNT_FIELD);
        $account = '';
        if ($name !== '') {
            $field = new AccountField((int) $this->text('pid'), $name);
            if (!$field->isForStaffOnly()) {
                $outcome = $this->refused('open-field')->withDetail($field->whatToTick());
                Log::note(self::NAME, 'settings', ['service' => $this->service()], $outcome, $this->secrets());
                return $outcome;
            }
            $account = $field->of($this->service());
            if ($account === '') {
                return $this->refused('no-name')->withDetail('The custom field ' . $name . ' of the product is empty or missing.');
            }
        }
        return new ServicePasswords(
            $client,
            $keys,
            self::NAME,
            $this->service(),
            $this->text('username'),
            $this->email(),
            $account,
            $this->secrets()
        );
    }

    /** The new password: each byte as WHMCS has it, unless local.php asks for the one rule there is. */
    public function newPassword(): string
    {
        $new = $this->params['password'] ?? '';
        $new = is_string($new) ? $new : '';
        return ($this->local['decode-entities'] ?? false) === true ? Entities::decode($new) : $new;
    }

    public function resetMode(): string
    {
        return Passwords::mode($this->text(self::RESET_MODE));
    }

    private function email(): string
    {
        $client = $this->params['clientsdetails'] ?? [];
        return is_array($client) && is_string($client['email'] ?? null) ? $client['email'] : '';
    }

    private function service(): int
    {
        return (int) ($this->params['serviceid'] ?? 0);
    }

    private function text(string $name): string
    {
        $text = $this->params[$name] ?? '';
        return is_string($text) || is_int($text) ? trim((string) $text) : '';
    }

    /** @return array<int, string> */
    private function secrets(): array
    {
        $secrets = [];
        foreach (['password', 'serverpassword', 'serveraccesshash'] as $name) {
            if (is_string($this->params[$name] ?? null) && $this->params[$name] !== '') {
                $secrets[] = $this->params[$name];
            }
        }
        return $secrets;
    }
}
