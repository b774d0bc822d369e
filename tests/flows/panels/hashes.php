<?php
// PHP's own hand: `hash ALGORITHM PASSWORD OPTIONS` writes a hash, `verify PASSWORD HASH ALGORITHM OPTIONS` says whether
// PHP takes it, and whether the panel would make it anew when somebody signs in.
declare(strict_types=1);

[, $verb, $first, $second] = $argv;
$options = json_decode($argv[$verb === 'hash' ? 4 : 5], true, 2, JSON_THROW_ON_ERROR);
if ($verb === 'hash') {
    echo password_hash($second, $first, $options);
} else {
    echo password_verify($first, $second) ? 'accepted' : 'refused';
    echo password_needs_rehash($second, $argv[4], $options) ? ', made anew' : '';
}
