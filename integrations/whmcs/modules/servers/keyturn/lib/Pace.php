<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

/**
 * How often one client's session may make the module ask the host. Everybody shares the key's requests a minute: by reloading a
 * page, one client could use them up, and nobody could change a password.
 */
final class Pace
{
    /** Pages, each of which asks four times at most to show how a password stands, and three times to change it. */
    public const PER_MINUTE = 10;

    /** Whether one more page may ask. Of staff, of cron and of WHMCS's API each may. */
    public static function allows(): bool
    {
        if (empty($_SESSION['uid']) || !empty($_SESSION['adminid'])) {
            return true;
        }
        $asked = isset($_SESSION['keyturn_asked']) && is_array($_SESSION['keyturn_asked']) ? $_SESSION['keyturn_asked'] : [];
        $asked = array_filter($asked, static fn ($at): bool => is_int($at) && $at > time() - 60);
        $allows = count($asked) < self::PER_MINUTE;
        $_SESSION['keyturn_asked'] = $allows ? array_merge($asked, [time()]) : $asked;
        return $allows;
    }
}
