<?php

declare(strict_types=1);

error_reporting(E_ALL);
require_once 'smarty4/Smarty.class.php';
require_once 'Illuminate/Database/autoload.php';
// As in production nobody should have it: a trace that shows what functions were called with.
ini_set('zend.exception_ignore_args', '0');

require_once __DIR__ . '/support/FakeHost.php';
require_once __DIR__ . '/support/Authority.php';
require_once __DIR__ . '/support/Packed.php';
require_once __DIR__ . '/support/Secrets.php';
// What is tested is what is copied into a billing system.
require_once Packed::folder('whmcs') . '/modules/servers/keyturn/lib/autoload.php';
require_once __DIR__ . '/support/MemoryKeys.php';
require_once __DIR__ . '/support/PostedBody.php';
require_once __DIR__ . '/support/Host.php';
require_once __DIR__ . '/support/Whmcs.php';
require_once Packed::folder('whmcs') . '/modules/servers/keyturn/keyturn.php';
