<?php

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
$admin = admin();
$corrections = keyturn_posted($admin) ?? carried();
$client = client();
$said = '';
if ($_SERVER['REQUEST_METHOD'] === 'POST' && !KeyturnViews::isForm($_POST)) {
    if (csrf_ok() && trim(posted('full_name')) !== '') {
        $update = db()->prepare("UPDATE users SET full_name = ?, updated_at = ? WHERE id = ? AND role = 'client'");
        $update->execute([trim(posted('full_name')), gmdate('Y-m-d H:i:s'), $client['id']]);
        redirect('/customer.php?id=' . (int) $client['id']);
    }
    http_response_code(422);
    $said = 'Enter a name. If you did, the form had expired: try again.';
}
$region = keyturn_slot($admin, 'customer.details', account($client), $corrections);

page_top('Manage ' . $client['full_name']);
echo $region['summary'];
if ($said !== '') { ?>
<p class="error" role="alert"><?= e($said) ?></p>
<?php } ?>
<form method="post" action="<?= e(here()) ?>">
<input type="hidden" name="csrf" value="<?= e(csrf_token()) ?>">
<label for="full_name">Name</label>
<input id="full_name" name="full_name" value="<?= e($client['full_name']) ?>" autocomplete="off" required>
<button>Save the name</button>
</form>
<?= $region['html'] ?>
<p><a href="/customer.php?id=<?= (int) $client['id'] ?>">Back</a></p>
<?php page_bottom();
