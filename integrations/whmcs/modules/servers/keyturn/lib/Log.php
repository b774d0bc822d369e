<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

use Keyturn\Client\Mask;
use Keyturn\Client\Outcome;

/** WHMCS's module log: what was asked, and what became of it. Secrets are masked before WHMCS sees any of it. */
final class Log
{
    /**
     * @param array<string, mixed> $request
     * @param array<int, string> $secrets Values that must not stand in the log.
     */
    public static function note(
        string $module,
        string $action,
        #[\SensitiveParameter]
        array $request,
        Outcome $outcome,
        #[\SensitiveParameter]
        array $secrets
    ): void {
        if (function_exists('logModuleCall')) {
            $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;
            $masked = Mask::of(['request' => $request, 'outcome' => $outcome->forLog()], $secrets);
            // No list of values to replace: WHMCS would keep each one's length.
            logModuleCall(
                $module,
                $action,
                (string) json_encode($masked['request'], $flags),
                (string) json_encode($masked['outcome'], $flags),
                '',
                []
            );
        }
    }
}
