<?php

/** For where there is no Composer: `require` this, and the classes are found. */

spl_autoload_register(static function (string $class): void {
    $prefix = 'Keyturn\\Client\\';
    if (strncmp($class, $prefix, strlen($prefix)) === 0) {
        $file = __DIR__ . '/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
