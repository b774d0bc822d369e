<?php

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
$user = user();
if (!$user) {
    redirect('index.php');
}
if ($user['role'] === 'admin') {
    redirect('/customers.php');
}
$corrections = keyturn_posted($user) ?? carried();
$region = keyturn_slot($user, 'account.sections', account($user), $corrections);
$notice = keyturn_notice($user);

$count = db()->prepare('SELECT count(*) FROM user_sessions WHERE user_id = ?');
$count->execute([$user['id']]);

page_top('Hello, ' . $user['full_name']);
echo $notice, $region['summary']; ?>
<dl>
<dt>User name</dt><dd><?= e($user['username']) ?></dd>
<dt>Email address</dt><dd><?= e($user['email']) ?></dd>
<dt>Customer since</dt><dd><?= e(substr($user['created_at'], 0, 10)) ?></dd>
<dt>Open sessions</dt><dd><?= max(1, (int) $count->fetchColumn()) ?></dd>
</dl>
<?= $region['html'] ?>
<form method="post" action="logout.php">
<input type="hidden" name="csrf" value="<?= e(csrf_token()) ?>">
<button>Sign out</button>
</form>
<?php page_bottom();
