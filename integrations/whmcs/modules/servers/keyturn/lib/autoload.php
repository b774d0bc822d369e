<?php

/** The client, and what the server module and the addon share. Loaded by both, in one request or in two. */

// Laid beside this by integrations/pack.
require_once __DIR__ . '/client/autoload.php';

spl_autoload_register(static function (string $class): void {
    $prefix = 'Keyturn\\Whmcs\\';
    if (strncmp($class, $prefix, strlen($prefix)) === 0) {
        $file = __DIR__ . '/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
