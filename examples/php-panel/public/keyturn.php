<?php

/** The one page for all pages of Keyturn. The query says which. */

declare(strict_types=1);

require __DIR__ . '/../lib.php';

start();
$user = user();
$corrections = keyturn_posted($user);
$notice = keyturn_notice($user);
try {
    $views = keyturn($user);
    if (!$views) {
        redirect('/index.php');
    }
    $page = $views->page((string) ($_SERVER['QUERY_STRING'] ?? ''), here(), $corrections);
} catch (KeyturnProblem $problem) {
    keyturn_failed($problem);
}

// The page brings a heading of its own.
page_top($page['title'], true);
echo $notice, $page['html'];
page_bottom();
