#!/bin/bash
# WordPress 6.1.9 (Debian 12's package wordpress 6.1.9+dfsg1) on MariaDB 10.11: which passwords, set by wp_set_password(), its own sign-in
# form takes.
#
# 1. A quote in a password: WordPress puts a backslash before each ' and " of everything that a form posts (wp_magic_quotes), and wp_signon()
#    takes it off the login, but not off the password. Its own form to choose a password does the same, so that both agree. Whoever sets
#    one by wp_set_password(), wp_insert_user() or by writing the hash hashes the password itself, and the form says incorrect_password.
#    wp_check_password() and wp_authenticate() take it.
# 2. A space at either end: wp_authenticate() and wp_hash_password() take it off, wp_check_password() doesn't. So a password with one that
#    was hashed by PHP's password_hash(), which WordPress verifies otherwise, never signs in.
#
# So a program that writes hashes for WordPress refuses such passwords, or hashes addslashes(trim(PASSWORD)).
#
# Exits 0 while it is so, 1 when it is not any more. Needs php-cli with mysqli, Debian's mariadb-server, and apt-get to download the package.
set -eu
work=$(mktemp -d); server=; trap 'kill $server 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"; user=$(id -un); port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
apt-get download -qq 'wordpress=6.1.9+dfsg1-*' 'php-getid3'; for package in *.deb; do dpkg-deb -x "$package" .; done
mariadb-install-db --no-defaults --datadir="$work/a" --user="$user" --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1
mariadbd --no-defaults --user="$user" --datadir="$work/a" --socket="$work/s" --port="$port" --bind-address=127.0.0.1 --pid-file="$work/pid" 2>log & server=$!
until mariadb --no-defaults -S "$work/s" -uroot -e 'CREATE DATABASE w' 2>/dev/null; do sleep 0.2; done
cat > w.php <<'P'
<?php
[, $folder, $verb, $password, $other] = $argv + [3 => '', 4 => ''];
$_SERVER = ['HTTP_HOST' => 'w.example', 'REQUEST_METHOD' => 'POST', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1'] + $_SERVER;
$_POST = $verb === 'form' ? ['log' => 'ana', 'pwd' => $password] : [];
foreach (['DB_HOST' => "localhost:$folder/s", 'DB_NAME' => 'w', 'DB_USER' => 'root', 'DB_PASSWORD' => '', 'DB_CHARSET' => 'utf8mb4', 'DB_COLLATE' => '',
    'ABSPATH' => "$folder/usr/share/wordpress/", 'WP_CONTENT_DIR' => "$folder/var/lib/wordpress/wp-content", 'WP_INSTALLING' => $verb === 'install',
    'DISABLE_WP_CRON' => true, 'WP_HTTP_BLOCK_EXTERNAL' => true] as $name => $value) define($name, $value);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) { define("{$name}_KEY", 'x'); define("{$name}_SALT", 'x'); }
$table_prefix = 'wp_';
function wp_mail() { return true; }
require ABSPATH . 'wp-settings.php'; require ABSPATH . 'wp-admin/includes/upgrade.php';
$code = fn ($answer) => is_wp_error($answer) ? $answer->get_error_code() : 'accepted';
switch ($verb) {
    case 'install': wp_install('W', 'ana', 'ana@w.example', false, '', 'first'); echo 'WordPress ', $wp_version, "\n"; break;
    case 'set': wp_set_password($password, 1); break;
    case 'crypt': $wpdb->update($wpdb->users, ['user_pass' => password_hash($password, PASSWORD_BCRYPT)], ['ID' => 1]); clean_user_cache(1); break;
    case 'form': add_filter('send_auth_cookies', '__return_false'); echo $code(wp_signon()); break;
    case 'authenticate': echo $code(wp_authenticate('ana', $password)); break;
    case 'compare': echo wp_check_password($password, get_userdata(1)->user_pass) ? 'accepted' : 'rejected';
}
P
w() { php -d display_errors=0 w.php "$work" "$@"; }
w install > out
for password in "plain words" "the ana's words" ' words with a space'; do
    for setter in set crypt; do
        w $setter "$password"
        echo "[$password] by $setter: form $(w form "$password"), authenticate $(w authenticate "$password"), compare $(w compare "$password")" >> out
    done
done
cat out; changed=0; expect() { grep -qF -- "$1" out && echo "as before: $1" || { echo "CHANGED: no more: $1"; changed=1; }; }
expect 'WordPress 6.1.9'
expect '[plain words] by set: form accepted, authenticate accepted, compare accepted'
expect '[plain words] by crypt: form accepted, authenticate accepted, compare accepted'
expect "[the ana's words] by set: form incorrect_password, authenticate accepted, compare accepted"
expect "[the ana's words] by crypt: form incorrect_password, authenticate accepted, compare accepted"
expect '[ words with a space] by set: form accepted, authenticate accepted, compare rejected'
expect '[ words with a space] by crypt: form incorrect_password, authenticate incorrect_password, compare accepted'
exit $changed
