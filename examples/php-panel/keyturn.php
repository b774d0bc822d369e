<?php

/**
 * Keyturn in this panel's pages. Without a service key in keyturn.token the panel is as it was.
 */

declare(strict_types=1);

require_once __DIR__ . '/../../integrations/php-views/KeyturnViews.php';

/** Where `keyturn serve` listens, which is also where its link pages and its style sheet are. */
function keyturn_host(): string
{
    return getenv('KEYTURN_HOST') ?: 'http://127.0.0.1:8089';
}

/** Keyturn for who asks now; null where it is not set up. */
function keyturn(?array $user): ?KeyturnViews
{
    $file = getenv('KEYTURN_TOKEN_FILE') ?: __DIR__ . '/keyturn.token';
    if (!is_readable($file)) {
        return null;
    }
    if (!isset($_SESSION['keyturn'])) {
        $_SESSION['keyturn'] = bin2hex(random_bytes(16));
    }
    $staff = $user && $user['role'] === 'admin';
    $views = new KeyturnViews(keyturn_host(), trim((string) file_get_contents($file), " \r\n\xEF\xBB\xBF"), keyturn_host());
    return $views->forReader(
        $user ? ($staff ? 'staff:' : 'customer:') . $user['id'] : null,
        $staff ? ['customer' => 'all'] : [],
        $_SESSION['keyturn'],
        $_SESSION['verified_at'] ?? null,
        'en',
        KeyturnViews::clientAddress($_SERVER, explode(',', (string) getenv('PANEL_PROXIES'))),
        $staff
    );
}

/** This page's address: Keyturn's forms post there. */
function here(): string
{
    return (string) $_SERVER['REQUEST_URI'];
}

/** @return array{html: string, summary: string} Nothing, or one quiet line, where Keyturn is not there: the page stands. */
function keyturn_slot(?array $user, string $slot, ?string $subject, ?string $corrections = null): array
{
    try {
        $views = keyturn($user);
        return $views ? $views->slot($slot, $subject, here(), $corrections) : ['html' => '', 'summary' => ''];
    } catch (KeyturnProblem $problem) {
        error_log("keyturn, $slot: " . $problem->getMessage());
        return ['html' => '<p>You can\'t manage passwords right now.</p>', 'summary' => ''];
    }
}

/** What is said of each of these accounts: [sentence, actions], by account. */
function keyturn_rows(?array $user, string $slot, array $subjects): array
{
    $said = [];
    try {
        $views = keyturn($user);
        foreach ($views && $subjects ? $views->rows($slot, $subjects, here())['rows'] : [] as $row) {
            $said[$row['subject']] = $row;
        }
    } catch (KeyturnProblem $problem) {
        error_log("keyturn, $slot: " . $problem->getMessage());
    }
    return $said;
}

/** What the form before this page has left to be said; once, and not to the script that only looks how a mail fares. */
function keyturn_notice(?array $user): string
{
    if (!isset($_SESSION['notice']) || isset($_SERVER['HTTP_KT_QUIET'])) {
        return '';
    }
    $notice = $_SESSION['notice'];
    unset($_SESSION['notice']);
    try {
        $views = keyturn($user);
        return $views ? $views->notice($notice) : '';
    } catch (KeyturnProblem $problem) {
        error_log('keyturn, notice: ' . $problem->getMessage());
        return '';
    }
}

/** Hands on a form of Keyturn's, if one was posted here. What comes back is for the region or page to be drawn with. */
function keyturn_posted(?array $user): ?string
{
    if ($_SERVER['REQUEST_METHOD'] !== 'POST' || !KeyturnViews::isForm($_POST)) {
        return null;
    }
    try {
        $views = keyturn($user);
        return $views ? keyturn_settle($user, $views->submit((string) file_get_contents('php://input'), here()), here()) : null;
    } catch (KeyturnProblem $problem) {
        keyturn_failed($problem);
    }
}

/** Does what is to be done when a form has run, or could not. */
function keyturn_settle(?array $user, array $answer, string $page): ?string
{
    switch ($answer['kind']) {
        case 'done':
            if ($answer['epoch'] !== null && $user) {
                // The person has replaced their own password: their sessions ended, and this one continues as a new one.
                begin_session($user, true);
            }
            $_SESSION['notice'] = $answer['notice'];
            redirect($answer['url']);
            // no break: redirect() ends the request
        case 'step-up':
            $_SESSION['held'] = ['form' => $answer['held'], 'page' => $page];
            redirect('/confirm.php');
            // no break
        case 'script':
            header('Content-Type: application/json');
            exit($answer['json']);
        case 'reveal':
            page_top($answer['title'], true);
            echo $answer['html'];
            page_bottom();
            exit;
        case 'stale':
            if (!$user && $answer['sign_in_as'] !== null) {
                redirect('/index.php');
            }
            // no break: only too old
        default:
            http_response_code(422);
            return $answer['corrections'];
    }
}

/** @return never */
function keyturn_failed(KeyturnProblem $problem)
{
    error_log('keyturn: ' . $problem->getMessage());
    if ($problem->problem === 'sign-in') {
        redirect('/index.php');
    }
    $known = [404 => 'This page doesn\'t exist, or you don\'t have access to it.', 403 => 'You don\'t have access to this, or the form is not from this session.'];
    http_response_code($problem->status === 0 ? 503 : $problem->status);
    page_top('Not done');
    // After a request that was not answered nobody knows: so nothing is claimed.
    echo '<p class="error">', e($known[$problem->status] ?? 'No usable answer came in time. It may have been done: check before you try again.'), "</p>\n";
    page_bottom();
    exit;
}
