<?php
// What account-status answers, as a panel's own page would: the caller's key, the account's row, JSON.
$key = $_SERVER['HTTP_AUTHORIZATION'] ?? '';
if (!hash_equals(hash('sha256', 'Bearer ' . getenv('BENCH_KEY')), hash('sha256', $key))) {
    http_response_code(401);
    exit;
}
$asked = json_decode(file_get_contents('php://input'), true);
$options = [PDO::ATTR_PERSISTENT => true, PDO::ATTR_EMULATE_PREPARES => false, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
$database = new PDO(getenv('BENCH_DATABASE'), getenv('BENCH_USER'), '', $options);
$found = $database->prepare('SELECT id, email, username, full_name, password FROM users WHERE id = ?');
$found->execute([(int) substr($asked['account'], strlen('customer:'))]);
$row = $found->fetch(PDO::FETCH_ASSOC);
header('Content-Type: application/json');
echo json_encode(['has_password' => $row !== false && $row['password'] !== null, 'must_change' => false]);
