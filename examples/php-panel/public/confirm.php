<?php

/** Asks people for their own password before they do something serious, unless they typed it recently. */

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
$user = user();
$held = $_SESSION['held'] ?? null;
if (!$user || !$held) {
    redirect('/index.php');
}

$error = '';
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    if (!csrf_ok()) {
        http_response_code(403);
        $error = 'This form has expired. Try again.';
    } elseif (confirm($user, posted('password'))) {
        $_SESSION['verified_at'] = time();
        unset($_SESSION['held']);
        try {
            $corrections = keyturn_settle($user, keyturn($user)->held($held['form'], $held['page']), $held['page']);
        } catch (KeyturnProblem $problem) {
            keyturn_failed($problem);
        }
        // Something was wrong with it: its own page shows what.
        $_SESSION['corrections'] = $corrections;
        redirect($held['page']);
    } else {
        http_response_code(401);
        $error = 'This isn\'t your password.';
    }
}

page_top('Confirm with your password'); ?>
<?php if ($error !== '') { ?>
<p class="error" role="alert"><?= e($error) ?></p>
<?php } ?>
<p>This changes how somebody signs in. Type your own password, so that nobody else can do it from your computer.</p>
<form method="post" action="/confirm.php">
<input type="hidden" name="csrf" value="<?= e(csrf_token()) ?>">
<label for="password">Your password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Continue</button> <a href="<?= e($held['page']) ?>">Cancel</a>
</form>
<?php page_bottom();
