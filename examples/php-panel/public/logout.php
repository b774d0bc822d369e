<?php

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
if ($_SERVER['REQUEST_METHOD'] === 'POST' && csrf_ok()) {
    sign_out();
}
redirect('index.php');
