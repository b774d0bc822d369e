<?php

/** What holds for this machine rather than for one product. Copy it to local.php beside it; an update leaves that alone. */

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

return [
    // PEM of the authority that signed the host's certificate, if it is your own. There is no way to leave the check out.
    // 'ca-file' => '/etc/ssl/private-authority.pem',

    // Seconds to connect and all in all. All of it passes inside somebody's page; at most 30.
    'connect-seconds' => 5,
    'total-seconds' => 10,

    // Requests are signed, and the token stays on this machine. false: it is borne in each request; needed where a proxy in
    // front of the host rewrites paths.
    'sign' => true,

    // true: a password is taken for HTML, and &amp; &lt; &gt; &quot; &#039; in it are decoded, once. Leave it false unless a
    // password with & does not sign in after a change: a password that really holds "&amp;" is altered by it.
    'decode-entities' => false,
];
