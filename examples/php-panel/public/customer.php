<?php

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
$admin = admin();
$corrections = keyturn_posted($admin) ?? carried();
$client = client();
$region = keyturn_slot($admin, 'customer.sections', account($client), $corrections);
$actions = keyturn_rows($admin, 'customer.actions', [account($client)])[account($client)] ?? [];
$notice = keyturn_notice($admin);

page_top($client['full_name']);
echo $notice, $region['summary']; ?>
<div class="actions">
<?= $actions['actions'] ?? '', $actions['sentence'] ?? '' ?>
<a class="button" href="/edit.php?id=<?= (int) $client['id'] ?>">Manage account details</a>
</div>
<dl>
<dt>User name</dt><dd><?= e($client['username']) ?></dd>
<dt>Email address</dt><dd><?= e($client['email']) ?></dd>
<dt>Customer since</dt><dd><?= e(substr($client['created_at'], 0, 10)) ?></dd>
</dl>
<?= $region['html'] ?>
<p><a href="/customers.php">All customers</a></p>
<?php page_bottom();
