<?php

/**
 * Keyturn for WHMCS, beside a product's own server module: staff reset and email passwords from a client's pages, clients change
 * their own. Its name is not the server module's: WHMCS finds functions by name, and both have a `clientarea`.
 */

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/../../servers/keyturn/lib/autoload.php';

use Keyturn\Client\Outcome;
use Keyturn\Client\Passwords;
use Keyturn\Client\Sentences;
use Keyturn\Whmcs\AddonModule;
use Keyturn\Whmcs\OperationsTable;
use Keyturn\Whmcs\Pace;
use Keyturn\Whmcs\ServicePasswords;
use Keyturn\Whmcs\Words;

/** @return array<string, mixed> */
function keyturnaddon_config()
{
    $field = static function (string $name, string $type, string $description, array $more = []): array {
        return ['FriendlyName' => $name, 'Type' => $type, 'Size' => '50', 'Description' => $description] + $more;
    };
    return [
        'name' => 'Keyturn passwords',
        'description' => 'Resets, emails and changes the panel\'s passwords from the pages of clients and services.',
        'version' => '0.1.0',
        'author' => 'Keyturn',
        'language' => 'english',
        'fields' => [
            'address' => $field('Address', 'text', 'https://panel.example:8443; http:// only for this machine, as http://127.0.0.1:8089'),
            'token' => $field('Token', 'password', 'As printed by keyturn keys add'),
            'ca_file' => $field('CA file', 'text', 'PEM of your own authority; empty: the machine\'s authorities'),
            'seconds' => $field('Seconds to wait', 'text', 'At most 30', ['Default' => '10']),
            'bear' => $field('Send the token', 'yesno', 'Instead of signing requests: if a proxy in front of the host rewrites paths'),
            'products' => $field('Products', 'text', 'Ids, separated by commas, of the products whose clients may change their passwords. Empty: none; staff can still email passwords and links for all'),
            'account_field' => $field('Custom field with the account', 'text', 'Admin Only, and not on the order form. Empty: the account is found by the user name'),
            'reset_mode' => $field('Reset & mail password sends', 'dropdown', 'A password that expires (temporary) or that stays (permanent), if the panel offers it; or a link to choose one, which every panel offers', [
                'Options' => implode(',', Passwords::MODES), 'Default' => Passwords::MODES[0],
            ]),
        ],
    ];
}

/** @return array{status: string, description: string} */
function keyturnaddon_activate()
{
    try {
        OperationsTable::create();
        return ['status' => 'success', 'description' => 'Now set the address, the token, and the roles that may use it.'];
    } catch (\Exception $cause) {
        return ['status' => 'error', 'description' => 'The table ' . OperationsTable::TABLE . ' could not be created.'];
    }
}

/** The table stays: it may hold what is not settled. @return array{status: string, description: string} */
function keyturnaddon_deactivate()
{
    return ['status' => 'success', 'description' => 'The table ' . OperationsTable::TABLE . ' stays.'];
}

/** The page for staff: one service, or the services of one client. @param array<string, mixed> $vars */
function keyturnaddon_output($vars)
{
    $addon = new AddonModule($vars);
    $link = keyturnaddon_h($vars['modulelink'] ?? 'addonmodules.php?module=' . AddonModule::NAME);
    $words = new Words(Words::languageNamed($_SESSION['adminlang'] ?? ''));
    if (empty($_SESSION['adminid']) || !AddonModule::staffMay()) {
        echo '<p class="errorbox">', keyturnaddon_h('Your role isn\'t allowed to perform server operations.'), '</p>';
        return;
    }
    $service = $addon->service(keyturnaddon_id('service'));
    if ($service === null) {
        keyturnaddon_list($addon, $words, $link, keyturnaddon_id('client'));
        return;
    }
    echo '<h2>', keyturnaddon_h($words->of('title') . ': ' . $service->username), '</h2>';
    $language = Words::languageNamed($_SESSION['adminlang'] ?? '');
    $passwords = $addon->passwords($service, $language);
    if ($passwords instanceof Outcome) {
        keyturnaddon_told(false, $passwords->getSentence() . ' (' . $passwords->getDetail() . ')');
        return;
    }
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        $token = AddonModule::tokenHolds('WHMCS.admin.default');
        if (!$token || !AddonModule::isFirst($_POST['once'] ?? '')) {
            keyturnaddon_told(false, $words->of('form-expired'));
        } elseif (($_POST['do'] ?? '') === 'settle') {
            foreach ($passwords->settle() as $deed => $outcome) {
                $said = $outcome->isDone() ? $words->of('settled-done') : $outcome->getSentence();
                keyturnaddon_told($outcome->isDone(), $words->of('deed-' . $deed) . ': ' . $said);
            }
        } elseif (in_array($_POST['do'] ?? '', ['mail', 'link'], true)) {
            $outcome = $passwords->resetAndMail($_POST['do'] === 'link' ? 'link' : $addon->resetMode());
            $said = $outcome->isDone() ? $words->of('mailed', ['sentence' => '']) : $outcome->getSentence();
            keyturnaddon_told($outcome->isDone(), $said);
        }
    }
    echo '<dl>';
    foreach ($passwords->lines() as $label => $line) {
        echo '<dt>', keyturnaddon_h($label), '</dt><dd>', keyturnaddon_h($line), '</dd>';
    }
    echo '</dl>';
    if ($addon->resetMode() !== 'link') {
        keyturnaddon_form($link, $service, 'mail', $words->of('deed-mail'), $words->of('point-' . $addon->resetMode()));
    }
    keyturnaddon_form($link, $service, 'link', $words->of('deed-link'), $words->of('point-link'));
    keyturnaddon_form($link, $service, 'settle', $words->of('look'), '');
}

/** The client's page about one of their services: the password's status, and a form. @return array<string, mixed> */
function keyturnaddon_clientarea($vars)
{
    $addon = new AddonModule($vars);
    $client = (int) ($_SESSION['uid'] ?? 0);
    $service = $client > 0 ? $addon->service(keyturnaddon_id('service'), $client) : null;
    $words = new Words($service->language ?? 'en');
    $shown = ['words' => $words->all(), 'lines' => [], 'error' => '', 'done' => '', 'form' => false, 'service' => 0];
    if (function_exists('checkContactPermission')) {
        // Of a user whom the client lets in for other things only: ends the request.
        checkContactPermission('manageproducts');
    }
    if ($service === null) {
        $shown['error'] = $words->of('no-service');
    } elseif ($service->domainstatus !== 'Active') {
        $shown['error'] = $words->of('suspended');
    } elseif (!Pace::allows()) {
        $shown['error'] = Sentences::of('too-often', $service->language);
    } else {
        $passwords = $addon->passwords($service, $service->language);
        $shown = ($passwords instanceof Outcome ? ['error' => $passwords->getSentence()]
            : keyturnaddon_changed($passwords, $words) + ['form' => true, 'lines' => $passwords->linesForClient()]) + $shown;
        $shown['service'] = (int) $service->id;
    }
    $page = 'index.php?m=' . AddonModule::NAME . ($shown['service'] > 0 ? '&service=' . $shown['service'] : '');
    return [
        'pagetitle' => $words->of('title'),
        'breadcrumb' => [$page => $words->of('title')],
        'templatefile' => 'password',
        'requirelogin' => true,
        'vars' => ['keyturn' => $shown + ['page' => $page]],
    ];
}

/** Does what the client's form asks for. @return array<string, string> */
function keyturnaddon_changed(ServicePasswords $passwords, Words $words): array
{
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        return [];
    }
    if (!AddonModule::tokenHolds('WHMCS.default')) {
        return ['error' => $words->of('form-expired')];
    }
    $new = AddonModule::typed('new');
    if ($new !== AddonModule::typed('again')) {
        return ['error' => $words->of('not-same')];
    }
    $outcome = $passwords->change($new);
    return $outcome->isDone() ? ['done' => $words->of('set')] : ['error' => $outcome->getSentence()];
}

function keyturnaddon_list(AddonModule $addon, Words $words, string $link, int $client): void
{
    $services = $client > 0 ? $addon->services($client) : [];
    if ($services === []) {
        echo '<p>', keyturnaddon_h($words->of($client > 0 ? 'no-services' : 'no-client')), '</p>';
        return;
    }
    echo '<h2>', keyturnaddon_h($words->of('services')), '</h2><ul>';
    foreach ($services as $service) {
        echo '<li><a href="', $link, '&amp;service=', (int) $service->id, '">', keyturnaddon_h($words->of('manage')), '</a> ',
            keyturnaddon_h('#' . $service->id . ' ' . $service->username . ' ' . $service->domain), '</li>';
    }
    echo '</ul>';
}

function keyturnaddon_form(string $link, object $service, string $do, string $label, string $point): void
{
    $token = function_exists('generate_token') ? generate_token('plain') : '';
    echo '<form method="post" action="', $link, '&amp;service=', (int) $service->id, '">';
    foreach (['token' => $token, 'do' => $do, 'once' => AddonModule::once()] as $name => $value) {
        echo '<input type="hidden" name="', $name, '" value="', keyturnaddon_h($value), '">';
    }
    echo '<p>', keyturnaddon_h($point), '</p><p><button type="submit" class="btn btn-default">', keyturnaddon_h($label),
        '</button></p></form>';
}

function keyturnaddon_told(bool $isGood, string $text): void
{
    echo '<div class="', $isGood ? 'successbox' : 'errorbox', '">', keyturnaddon_h($text), '</div>';
}

function keyturnaddon_id(string $name): int
{
    $id = $_GET[$name] ?? '';
    return is_string($id) && preg_match('/^[1-9][0-9]{0,9}\z/', $id) === 1 ? (int) $id : 0;
}

function keyturnaddon_h(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES, 'UTF-8');
}
