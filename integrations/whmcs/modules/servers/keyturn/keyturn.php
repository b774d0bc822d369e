<?php

/**
 * Keyturn for WHMCS: a server module that sets, resets and mails the passwords of a panel that has no module of its own.
 * `'success'` is answered only when the Keyturn host has confirmed it. docs/whmcs.md says how it is set up.
 */

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/lib/autoload.php';

use Keyturn\Client\InvalidSettings;
use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Whmcs\Pace;
use Keyturn\Whmcs\ServerModule;

/** @return array<string, mixed> */
function keyturn_MetaData()
{
    return [
        'DisplayName' => 'Keyturn (passwords)',
        'APIVersion' => '1.1',
        'RequiresServer' => true,
        'DefaultNonSSLPort' => '8089',
        'DefaultSSLPort' => '443',
    ];
}

/** In the order that `ServerModule` reads them in. @return array<string, array<string, string>> */
function keyturn_ConfigOptions()
{
    return [
        'account-field' => [
            'FriendlyName' => 'Custom field with the account',
            'Type' => 'text',
            'Size' => '30',
            'Description' => 'The name of a custom field that holds ids such as customer:42; Admin Only, and not on the order form. Empty: the user name identifies the account.',
        ],
        'reset-mode' => [
            'FriendlyName' => 'Reset & mail password sends',
            'Type' => 'dropdown',
            'Options' => implode(',', Passwords::MODES),
            'Default' => Passwords::MODES[0],
            'Description' => 'A password that expires (temporary) or that stays (permanent), if the panel offers it; or a link to choose one, which every panel offers.',
        ],
    ];
}

/** @return array{success: bool, error: string} */
function keyturn_TestConnection(array $params)
{
    try {
        $client = (new ServerModule($params))->client();
    } catch (InvalidSettings $cause) {
        return ['success' => false, 'error' => $cause->getMessage()];
    }
    $outcome = $client->test();
    $error = $outcome->isDone() ? '' : ServerModule::told($outcome) . ' (' . $outcome->getDetail() . ')';
    return ['success' => $outcome->isDone(), 'error' => $error];
}

/** @return string */
function keyturn_ChangePassword(array $params)
{
    $module = new ServerModule($params);
    $passwords = Pace::allows() ? $module->passwords() : $module->refused('too-often');
    return ServerModule::told($passwords instanceof Outcome ? $passwords : $passwords->change($module->newPassword()));
}

/**
 * @param array<string, mixed> $params Not handed over by each WHMCS: then both buttons are shown, and do the same where a link is mailed.
 *
 * @return array<string, string>
 */
function keyturn_AdminCustomButtonArray($params = [])
{
    $mode = is_array($params) && isset($params['configoption2']) ? (new ServerModule($params))->resetMode() : '';
    return ($mode === 'link' ? [] : ['Reset & mail password' => 'ResetAndMail']) + [
        'Send set-password link' => 'SendLink',
        'Check open actions' => 'Settle',
    ];
}

/** @return string */
function keyturn_ResetAndMail(array $params)
{
    $module = new ServerModule($params);
    $passwords = $module->passwords();
    return ServerModule::told($passwords instanceof Outcome ? $passwords : $passwords->resetAndMail($module->resetMode()));
}

/** @return string */
function keyturn_SendLink(array $params)
{
    $passwords = (new ServerModule($params))->passwords();
    return ServerModule::told($passwords instanceof Outcome ? $passwords : $passwords->resetAndMail('link'));
}

/**
 * Asks the host what became of attempts whose answer did not come. Success: whatever was open was done, or nothing was open.
 *
 * @return string
 */
function keyturn_Settle(array $params)
{
    $passwords = (new ServerModule($params))->passwords();
    if ($passwords instanceof Outcome) {
        return ServerModule::told($passwords);
    }
    $sentences = [];
    foreach ($passwords->settle() as $deed => $outcome) {
        if (!$outcome->isDone()) {
            $sentences[] = $passwords->words()->of('deed-' . $deed) . ': ' . $outcome->getSentence();
        }
    }
    return $sentences === [] ? 'success' : implode(' ', $sentences);
}

/** @return array<string, string> Label => HTML. */
function keyturn_AdminServicesTabFields(array $params)
{
    $passwords = (new ServerModule($params))->passwords();
    if ($passwords instanceof Outcome) {
        return [];
    }
    $fields = [];
    foreach ($passwords->lines() as $label => $line) {
        $fields[htmlspecialchars($label, ENT_QUOTES, 'UTF-8')] = htmlspecialchars($line, ENT_QUOTES, 'UTF-8');
    }
    return $fields;
}

/** @return array<string, mixed> */
function keyturn_ClientArea(array $params)
{
    $module = new ServerModule($params);
    $passwords = Pace::allows() ? $module->passwords() : $module->refused('too-often');
    return [
        'tabOverviewModuleOutputTemplate' => 'templates/overview.tpl',
        'templateVariables' => [
            'keyturnLines' => $passwords instanceof Outcome ? [] : $passwords->linesForClient(),
        ],
    ];
}

/** @return string */
function keyturn_CreateAccount(array $params)
{
    return ServerModule::told((new ServerModule($params))->refused('passwords-only'));
}

/** @return string */
function keyturn_SuspendAccount(array $params)
{
    return ServerModule::told((new ServerModule($params))->refused('passwords-only'));
}

/** @return string */
function keyturn_UnsuspendAccount(array $params)
{
    return ServerModule::told((new ServerModule($params))->refused('passwords-only'));
}

/** @return string */
function keyturn_TerminateAccount(array $params)
{
    return ServerModule::told((new ServerModule($params))->refused('passwords-only'));
}
