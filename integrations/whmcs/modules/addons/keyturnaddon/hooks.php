<?php

/**
 * Links to the addon's pages. Nothing here asks the host: these run on every page. And nothing listens where WHMCS hands out
 * passwords in clear: not to AfterModuleChangePassword, PreModuleChangePassword, ClientChangePassword or UserChangePassword.
 */

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/../../servers/keyturn/lib/autoload.php';

use Illuminate\Database\Capsule\Manager as Capsule;
use Keyturn\Whmcs\AddonModule;
use Keyturn\Whmcs\Words;

$keyturnAddon = static function (): AddonModule {
    // What is no secret of the settings.
    $settings = Capsule::table('tbladdonmodules')->where('module', AddonModule::NAME)->whereIn('setting', ['products', 'reset_mode'])->get();
    $read = [];
    foreach ($settings as $setting) {
        $read[$setting->setting] = (string) $setting->value;
    }
    return new AddonModule($read);
};
// As on the addon's page: where a link is mailed, both would do the same.
$keyturnDeeds = static function () use ($keyturnAddon): array {
    return $keyturnAddon()->resetMode() === 'link' ? ['deed-link'] : ['deed-mail', 'deed-link'];
};
$keyturnPage = 'addonmodules.php?module=' . AddonModule::NAME;

add_hook('AdminAreaClientSummaryActionLinks', 10, static function ($vars) use ($keyturnAddon, $keyturnDeeds, $keyturnPage) {
    $client = (int) ($vars['userid'] ?? 0);
    if ($client < 1 || !AddonModule::staffMay() || $keyturnAddon()->services($client) === []) {
        return [];
    }
    $words = new Words(Words::languageNamed($_SESSION['adminlang'] ?? ''));
    $to = htmlspecialchars($keyturnPage . '&client=' . $client, ENT_QUOTES, 'UTF-8');
    $links = [];
    foreach ($keyturnDeeds() as $word) {
        $links[] = '<a href="' . $to . '">' . htmlspecialchars($words->of($word), ENT_QUOTES, 'UTF-8') . '</a>';
    }
    return $links;
});

add_hook('AdminClientServicesTabFields', 10, static function ($vars) use ($keyturnAddon, $keyturnDeeds, $keyturnPage) {
    $service = $keyturnAddon()->service((int) ($vars['id'] ?? 0));
    if ($service === null || (string) $service->username === '' || !AddonModule::staffMay()) {
        return [];
    }
    $words = new Words(Words::languageNamed($_SESSION['adminlang'] ?? ''));
    $to = htmlspecialchars($keyturnPage . '&service=' . (int) $service->id, ENT_QUOTES, 'UTF-8');
    $buttons = '';
    foreach ($keyturnDeeds() as $word) {
        $label = htmlspecialchars($words->of($word), ENT_QUOTES, 'UTF-8');
        $buttons .= '<a class="btn btn-default" href="' . $to . '">' . $label . '</a> ';
    }
    return [htmlspecialchars($words->of('title'), ENT_QUOTES, 'UTF-8') => trim($buttons)];
});

add_hook('ClientAreaProductDetailsOutput', 10, static function ($vars) use ($keyturnAddon) {
    $shown = is_array($vars) ? $vars['service'] ?? null : $vars;
    $client = (int) ($_SESSION['uid'] ?? 0);
    $service = is_object($shown) && isset($shown->id) && $client > 0 ? $keyturnAddon()->service((int) $shown->id, $client) : null;
    if ($service === null || (string) $service->username === '' || $service->domainstatus !== 'Active') {
        return '';
    }
    $to = 'index.php?m=' . AddonModule::NAME . '&service=' . (int) $service->id;
    $label = (new Words($service->language))->of('title');
    return '<p><a class="btn btn-default" href="' . htmlspecialchars($to, ENT_QUOTES, 'UTF-8') . '">'
        . htmlspecialchars($label, ENT_QUOTES, 'UTF-8') . '</a></p>';
});
