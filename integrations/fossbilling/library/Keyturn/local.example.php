<?php

/** What holds for this machine rather than for one server. Copy it to local.php beside it. */

return [
    // PEM of the authority that signed the host's certificate, if it is your own. There is no way to leave the check out.
    // 'ca-file' => '/etc/ssl/private-authority.pem',

    // Seconds to connect and all in all, at most 30.
    'connect-seconds' => 5,
    'total-seconds' => 10,

    // Requests are signed, and the token stays on this machine. false: it is borne in each request.
    'sign' => true,

    // Of the sentences: en or es.
    'language' => 'en',

    // Where clients sign in to the panel.
    // 'login-url' => 'https://panel.example/login',
];
