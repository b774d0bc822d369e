<?php

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
if (user()) {
    redirect('home.php');
}

$error = '';
$login = trim(posted('login'));
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    if (!csrf_ok()) {
        http_response_code(403);
        $error = 'This form has expired. Please try again.';
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

page_top('Sign in'); ?>
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
<?php page_bottom();
