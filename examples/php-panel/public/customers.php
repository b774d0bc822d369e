<?php

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
$admin = admin();
$clients = db()->query("SELECT * FROM users WHERE role = 'client' ORDER BY full_name LIMIT 100")->fetchAll();
$said = keyturn_rows($admin, 'customers.row', array_map('account', $clients));
$notice = keyturn_notice($admin);

page_top('Customers');
echo $notice; ?>
<table>
<tr><th>Name</th><th>User name</th><th>Password</th><th>Actions</th></tr>
<?php foreach ($clients as $client) { ?>
<tr>
<td><a href="/customer.php?id=<?= (int) $client['id'] ?>"><?= e($client['full_name']) ?></a></td>
<td><?= e($client['username']) ?></td>
<td><?= $said[account($client)]['sentence'] ?? '' ?></td>
<td><a href="/edit.php?id=<?= (int) $client['id'] ?>">Manage</a> <?= $said[account($client)]['actions'] ?? '' ?></td>
</tr>
<?php } ?>
</table>
<?php page_bottom();
