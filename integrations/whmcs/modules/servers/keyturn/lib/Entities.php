<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

/**
 * The one rule by which a password may be altered on its way, off unless it is set: some versions and ways of WHMCS are reported
 * to hand passwords over as HTML (`&amp;` for `&`). Decoding by guess would change a password that really holds `&amp;`.
 */
final class Entities
{
    /** Once, and only the five that WHMCS's own escaping writes: `&amp;quot;` is the password `&quot;`. */
    public static function decode(
        #[\SensitiveParameter]
        string $password
    ): string {
        return strtr($password, [
            '&amp;' => '&', '&lt;' => '<', '&gt;' => '>', '&quot;' => '"', '&#039;' => "'", '&#39;' => "'", '&apos;' => "'",
        ]);
    }
}
