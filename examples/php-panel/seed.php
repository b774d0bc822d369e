<?php

declare(strict_types=1);

require __DIR__ . '/lib.php';

if (PHP_SAPI !== 'cli') {
    exit(1);
}
if (!on_mariadb() && file_exists(database())) {
    fwrite(STDERR, database() . " already exists. Delete it to start again.\n");
    exit(1);
}

$people = [
    ['admin', 'admin@northwind.example', 'Ines Alonso', 'admin', 1, 'keeper of the rack keys'],
    ['carmen', 'carmen@panaderia.example', 'Carmen Ruiz', 'client', 1, 'flour water and salt'],
    ['tomas', 'tomas@taller.example', 'Tomás Vidal', 'client', 1, 'three spanners and a jack'],
    ['lena', 'lena@studio.example', 'Lena Brandt', 'client', 1, 'north light in the attic'],
    ['pavel', 'pavel@closed.example', 'Pavel Horák', 'client', 0, 'gone fishing until spring'],
];

foreach (explode(';', (string) file_get_contents(__DIR__ . (on_mariadb() ? '/schema-mariadb.sql' : '/schema.sql'))) as $statement) {
    trim($statement) === '' || db()->exec($statement);
}

$insert = db()->prepare(
    'INSERT INTO users (username, email, full_name, role, active, password, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
);
foreach ($people as [$username, $email, $name, $role, $active, $password]) {
    $hash = password_hash($password, PASSWORD_BCRYPT, ['cost' => 10]);
    $now = gmdate('Y-m-d H:i:s');
    $insert->execute([$username, $email, $name, $role, $active, $hash, $now, $now]);
}

echo on_mariadb() ? 'The database' : database(), ' has ', count($people), " users.\n";
