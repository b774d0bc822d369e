<?php

declare(strict_types=1);

require_once __DIR__ . '/keyturn.php';

const SESSION_LIFETIME = 7200;
const REMEMBER_COOKIE = 'remember';
const REMEMBER_LIFETIME = 30 * 86400;
/** How often signed-in people may mistype their own password before they must sign in again. */
const CONFIRMATIONS = 5;

/** A file of SQLite's, or PDO's address of a MariaDB: `mysql:host=127.0.0.1;dbname=panel;user=panel;password=…`. */
function database(): string
{
    return getenv('PANEL_DB') ?: __DIR__ . '/panel.db';
}

function on_mariadb(): bool
{
    return strpos(database(), 'mysql:') === 0;
}

function db(): PDO
{
    static $pdo = null;
    if ($pdo === null) {
        $pdo = new PDO((on_mariadb() ? '' : 'sqlite:') . database(), null, null, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
            PDO::ATTR_TIMEOUT => 5,
        ]);
        $pdo->exec(on_mariadb() ? 'SET NAMES utf8mb4' : 'PRAGMA foreign_keys = ON');
    }
    return $pdo;
}

/** PHP's sessions in the table user_sessions, so that they can be listed and ended. */
final class DatabaseSessions implements SessionHandlerInterface, SessionUpdateTimestampHandlerInterface
{
    /** @var array<string, bool> */
    private $known = [];

    public function open($path, $name): bool
    {
        return true;
    }

    public function close(): bool
    {
        return true;
    }

    public function read($id): string
    {
        $query = db()->prepare('SELECT payload FROM user_sessions WHERE id = ? AND updated_at > ?');
        $query->execute([$id, time() - SESSION_LIFETIME]);
        $payload = $query->fetchColumn();
        $this->known[$id] = $payload !== false;
        return $payload === false ? '' : base64_decode((string) $payload);
    }

    public function write($id, $data): bool
    {
        $row = [$_SESSION['user_id'] ?? null, $_SERVER['REMOTE_ADDR'] ?? '', base64_encode($data), time(), $id];
        // A session that was ended while this request ran must not come back.
        $sql = ($this->known[$id] ?? false)
            ? 'UPDATE user_sessions SET user_id = ?, ip = ?, payload = ?, updated_at = ? WHERE id = ?'
            : 'REPLACE INTO user_sessions (user_id, ip, payload, updated_at, id) VALUES (?, ?, ?, ?, ?)';
        return db()->prepare($sql)->execute($row);
    }

    /** A made-up id is not taken over. */
    public function validateId($id): bool
    {
        $query = db()->prepare('SELECT 1 FROM user_sessions WHERE id = ?');
        $query->execute([$id]);
        return $query->fetchColumn() !== false;
    }

    public function updateTimestamp($id, $data): bool
    {
        return $this->write($id, $data);
    }

    public function destroy($id): bool
    {
        return db()->prepare('DELETE FROM user_sessions WHERE id = ?')->execute([$id]);
    }

    public function gc($lifetime): int
    {
        $delete = db()->prepare('DELETE FROM user_sessions WHERE updated_at < ?');
        $delete->execute([time() - SESSION_LIFETIME]);
        return $delete->rowCount();
    }
}

function https(): bool
{
    return ($_SERVER['HTTPS'] ?? '') !== '' && $_SERVER['HTTPS'] !== 'off';
}

function start(): void
{
    // Keyturn's style sheet and script come from its host; what they ask, they ask this panel.
    header("Content-Security-Policy: default-src 'none'; style-src 'self' " . keyturn_host() . '; script-src '
        . keyturn_host() . "; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: same-origin');
    header('Cache-Control: no-store');

    session_set_save_handler(new DatabaseSessions(), true);
    session_set_cookie_params(['path' => '/', 'secure' => https(), 'httponly' => true, 'samesite' => 'Lax']);
    session_name('panel');
    session_start(['use_strict_mode' => true, 'cache_limiter' => '']);
}

function user(): ?array
{
    $query = db()->prepare('SELECT * FROM users WHERE id = ? AND active = 1');
    $query->execute([$_SESSION['user_id'] ?? 0]);
    return $query->fetch() ?: remembered_user();
}

function sign_in(string $login, string $password): bool
{
    $query = db()->prepare('SELECT * FROM users WHERE username = ? OR email = ?');
    $query->execute([$login, $login]);
    $user = $query->fetch();
    // An open cursor holds the database as it was, and SQLite lets nobody write from there once somebody else has.
    $query->closeCursor();
    if (!$user || !password_verify($password, $user['password']) || !$user['active']) {
        return false;
    }
    reset_confirmations((int) $user['id']);
    begin_session($user, true);
    return true;
}

/**
 * Whether this is the signed-in person's password. Each attempt is counted before it is checked, in the database and for the
 * person, not for the session: a thief with a stolen session, or with a stolen cookie to make many, has CONFIRMATIONS guesses in
 * all. Then all of the person's sessions end.
 */
function confirm(array $user, string $password): bool
{
    $count = db()->prepare('UPDATE users SET confirmations = confirmations + 1 WHERE id = ? AND confirmations < ?');
    $count->execute([$user['id'], CONFIRMATIONS]);
    if ($count->rowCount() === 1 && password_verify($password, $user['password'])) {
        reset_confirmations((int) $user['id']);
        return true;
    }
    $query = db()->prepare('SELECT confirmations FROM users WHERE id = ?');
    $query->execute([$user['id']]);
    $counted = (int) $query->fetchColumn();
    $query->closeCursor();
    if ($counted >= CONFIRMATIONS) {
        db()->prepare('DELETE FROM user_sessions WHERE user_id = ?')->execute([$user['id']]);
        sign_out();
        redirect('/index.php');
    }
    return false;
}

function reset_confirmations(int $id): void
{
    db()->prepare('UPDATE users SET confirmations = 0 WHERE id = ?')->execute([$id]);
}

/** `$proved`: the password was just typed; the person has not only come back with a cookie. */
function begin_session(array $user, bool $proved): void
{
    session_regenerate_id(true);
    $_SESSION = ['user_id' => (int) $user['id']] + ($proved ? ['verified_at' => time()] : []);
}

/** The administrator who asks; anybody else is sent away. */
function admin(): array
{
    $user = user();
    if (!$user || $user['role'] !== 'admin') {
        redirect('/index.php');
    }
    return $user;
}

/** The client whom a page is about. */
function client(): array
{
    $query = db()->prepare("SELECT * FROM users WHERE id = ? AND role = 'client'");
    $query->execute([(int) ($_GET['id'] ?? 0)]);
    $client = $query->fetch();
    if (!$client) {
        http_response_code(404);
        page_top('No such customer');
        page_bottom();
        exit;
    }
    return $client;
}

/** A client's account in Keyturn. */
function account(array $client): string
{
    return 'customer:' . $client['id'];
}

/** What was wrong with a form that waited for its sender's password; once. */
function carried(): ?string
{
    $carried = $_SESSION['corrections'] ?? null;
    unset($_SESSION['corrections']);
    return $carried;
}

function sign_out(): void
{
    $forget = db()->prepare('UPDATE users SET remember_token = NULL WHERE id = ?');
    $forget->execute([$_SESSION['user_id'] ?? 0]);
    remember_cookie('', 1);
    $_SESSION = [];
    session_regenerate_id(true);
}

/** "Keep me signed in": the cookie has the token, the database its hash. */
function remember(int $id): void
{
    $token = bin2hex(random_bytes(32));
    db()->prepare('UPDATE users SET remember_token = ? WHERE id = ?')->execute([hash('sha256', $token), $id]);
    remember_cookie($token, time() + REMEMBER_LIFETIME);
}

function remembered_user(): ?array
{
    $token = $_COOKIE[REMEMBER_COOKIE] ?? '';
    if (!is_string($token) || $token === '') {
        return null;
    }
    $query = db()->prepare('SELECT * FROM users WHERE remember_token = ? AND active = 1');
    $query->execute([hash('sha256', $token)]);
    $user = $query->fetch();
    if (!$user) {
        return null;
    }
    begin_session($user, false);
    return $user;
}

function remember_cookie(string $value, int $expires): void
{
    setcookie(REMEMBER_COOKIE, $value, [
        'expires' => $expires, 'path' => '/', 'secure' => https(), 'httponly' => true, 'samesite' => 'Lax',
    ]);
}

function csrf_token(): string
{
    if (!isset($_SESSION['csrf'])) {
        $_SESSION['csrf'] = bin2hex(random_bytes(32));
    }
    return $_SESSION['csrf'];
}

function csrf_ok(): bool
{
    return hash_equals(csrf_token(), posted('csrf'));
}

function posted(string $field): string
{
    return isset($_POST[$field]) && is_string($_POST[$field]) ? $_POST[$field] : '';
}

function redirect(string $to): void
{
    if (strpos($_SERVER['HTTP_ACCEPT'] ?? '', 'application/json') === 0) {
        // A script asks, for a session that is no more: it is led nowhere, and the cookie of a newer one stays.
        header_remove('Set-Cookie');
        http_response_code(401);
        exit('{}');
    }
    header('Location: ' . $to, true, 303);
    exit;
}

function e(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES, 'UTF-8');
}

/** `$headed`: what follows brings a heading of its own. */
function page_top(string $title, bool $headed = false): void
{
    header('Content-Type: text/html; charset=utf-8'); ?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title><?= e($title) ?> – Northwind Hosting</title>
<?= KeyturnViews::head() ?>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>Northwind Hosting</header>
<main>
<?php if (!$headed) { ?>
<h1><?= e($title) ?></h1>
<?php } ?>
<?php
}

function page_bottom(): void
{
    echo "</main>\n</body>\n</html>\n";
}
