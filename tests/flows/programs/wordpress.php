<?php
// WordPress by its own code (Debian's package `wordpress`), without a web server: `HOST:PORT DATABASE VERB …`.
//
//     install PASSWORD         makes the tables, and the administrator `boss`
//     add LOGIN PASSWORD ROLE  stores somebody
//     set LOGIN PASSWORD       sets a password
//     ask LOGIN                prints the key of a link to reset the password
//     key LOGIN KEY            whether that key still holds
//     sign-in LOGIN PASSWORD   `wp_authenticate`; who is accepted has a session from then on
//     form LOGIN PASSWORD      `wp_signon` with what the sign-in form posts
//     compare LOGIN PASSWORD   `wp_check_password` alone
declare(strict_types=1);

[, $host, $database, $verb] = $argv;
$own = array_slice($argv, 4);
$_SERVER = ['HTTP_HOST' => 'blog.example', 'REQUEST_METHOD' => 'POST', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1'] + $_SERVER;
if ($verb === 'form') {
    $_POST = ['log' => $own[0], 'pwd' => $own[1]];
}
define('ABSPATH', '/usr/share/wordpress/');
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
foreach (['HOST' => $host, 'NAME' => $database, 'USER' => 'keyturn', 'PASSWORD' => '', 'CHARSET' => 'utf8mb4', 'COLLATE' => ''] as $name => $value) {
    define("DB_$name", $value);
}
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define("{$name}_KEY", 'of no use');
    define("{$name}_SALT", 'of no use');
}
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('WP_INSTALLING', $verb === 'install');
$table_prefix = 'wp_';

/** Nobody is mailed. */
function wp_mail(): bool
{
    return true;
}

require ABSPATH . 'wp-settings.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';

/** @param mixed $answer Somebody, or an error by its code. */
function accepted($answer): string
{
    return is_wp_error($answer) ? $answer->get_error_code() : 'accepted';
}

switch ($verb) {
    case 'install':
        wp_install('Blog', 'boss', 'boss@northwind.example', false, '', $own[0]);
        break;
    case 'add':
        $user = ['user_login' => $own[0], 'user_email' => "$own[0]@northwind.example", 'user_pass' => $own[1], 'role' => $own[2]];
        echo wp_insert_user($user);
        break;
    case 'set':
        wp_set_password($own[1], get_user_by('login', $own[0])->ID);
        break;
    case 'ask':
        echo get_password_reset_key(get_user_by('login', $own[0]));
        break;
    case 'key':
        echo accepted(check_password_reset_key($own[1], $own[0]));
        break;
    case 'sign-in':
        $user = wp_authenticate($own[0], $own[1]);
        is_wp_error($user) || WP_Session_Tokens::get_instance($user->ID)->create(time() + 3600);
        echo accepted($user);
        break;
    case 'form':
        add_filter('send_auth_cookies', '__return_false');
        echo accepted(wp_signon());
        break;
    case 'compare':
        echo wp_check_password($own[1], get_user_by('login', $own[0])->user_pass) ? 'accepted' : 'rejected';
}
