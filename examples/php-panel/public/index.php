<?php

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
if (user()) {
    redirect('home.php');
}

$corrections = keyturn_posted(null);
$notice = keyturn_notice(null);
$region = keyturn_slot(null, 'sign-in.below', null, $corrections);

$error = '';
$login = trim(posted('login'));
if ($_SERVER['REQUEST_METHOD'] === 'POST' && !KeyturnViews::isForm($_POST)) {
    if (!csrf_ok()) {
        http_response_code(403);
        $error = 'This form has expired. Try again.';
    } elseif (sign_in($login, posted('password'))) {
        if (posted('remember') !== '') {
            remember($_SESSION['user_id']);
        }
        redirect('home.php');
    } else {
        http_response_code(401);
        $error = 'Wrong user name or password.';
    }
}

page_top('Sign in');
echo $notice, $region['summary']; ?>
<?php if ($error !== '') { ?>
<p class="error" role="alert"><?= e($error) ?></p>
<?php } ?>
<form method="post" action="index.php">
<input type="hidden" name="csrf" value="<?= e(csrf_token()) ?>">
<label for="login">User name or email address</label>
<input id="login" name="login" value="<?= e($login) ?>" autocomplete="username" required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<label class="tick"><input type="checkbox" name="remember" value="1"> Keep me signed in</label>
<button>Sign in</button>
</form>
<?= $region['html'] ?>
<?php page_bottom();
