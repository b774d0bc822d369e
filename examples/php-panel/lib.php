<?php

declare(strict_types=1);

const SESSION_LIFETIME = 7200;
const REMEMBER_COOKIE = 'remember';
const REMEMBER_LIFETIME = 30 * 86400;

function database_path(): string
{
    return getenv('PANEL_DB') ?: __DIR__ . '/panel.db';
}

function db(): PDO
{
    static $pdo = null;
    if ($pdo === null) {
        $pdo = new PDO('sqlite:' . database_path(), null, null, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
            PDO::ATTR_TIMEOUT => 5,
        ]);
        $pdo->exec('PRAGMA foreign_keys = ON');
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
            : 'INSERT OR REPLACE INTO user_sessions (user_id, ip, payload, updated_at, id) VALUES (?, ?, ?, ?, ?)';
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
    header("Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; "
        . "base-uri 'none'; frame-ancestors 'none'");
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
    if (!$user || !password_verify($password, $user['password']) || !$user['active']) {
        return false;
    }
    begin_session($user);
    return true;
}

function begin_session(array $user): void
{
    session_regenerate_id(true);
    $_SESSION = ['user_id' => (int) $user['id']];
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
    begin_session($user);
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
    header('Location: ' . $to, true, 303);
    exit;
}

function e(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES, 'UTF-8');
}

function page_top(string $title): void
{
    header('Content-Type: text/html; charset=utf-8'); ?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title><?= e($title) ?> – Northwind Hosting</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<header>Northwind Hosting</header>
<main>
<h1><?= e($title) ?></h1>
<?php
}

function page_bottom(): void
{
    echo "</main>\n</body>\n</html>\n";
}
