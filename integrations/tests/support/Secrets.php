<?php

declare(strict_types=1);

use PHPUnit\Framework\Assert;

/** Looks for a secret in every form in which a log may hold it; written apart from the client's own list. */
final class Secrets
{
    public static function assertNone(string $text, string ...$secrets): void
    {
        foreach ($secrets as $secret) {
            if ($secret === '') {
                continue;
            }
            $forms = [$secret, urlencode($secret), rawurlencode($secret), htmlspecialchars($secret), htmlentities($secret),
                base64_encode($secret), bin2hex($secret), substr((string) json_encode($secret), 1, -1), strrev($secret),
                md5($secret), sha1($secret), hash('sha256', $secret), crypt($secret, '$5$salt$')];
            foreach ($forms as $number => $form) {
                Assert::assertStringNotContainsStringIgnoringCase($form, $text, "form $number of a secret is there");
            }
            // Nor a good part of it.
            if (strlen($secret) >= 12) {
                Assert::assertStringNotContainsString(substr($secret, 0, 9), $text);
                Assert::assertStringNotContainsString(substr($secret, -9), $text);
            }
        }
    }
}
