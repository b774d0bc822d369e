<?php

declare(strict_types=1);

/** An integration as `integrations/pack` lays it, in a folder that goes with the process. */
final class Packed
{
    /** @var array<string, string> */
    private static array $folders = [];

    public static function folder(string $integration): string
    {
        if (!isset(self::$folders[$integration])) {
            $folder = sys_get_temp_dir() . '/keyturn-' . bin2hex(random_bytes(8));
            $pack = escapeshellarg(dirname(__DIR__, 2) . '/pack');
            exec($pack . ' ' . escapeshellarg($integration) . ' ' . escapeshellarg($folder) . ' 2>&1', $said, $code);
            if ($code !== 0) {
                throw new RuntimeException('integrations/pack: ' . implode("\n", $said));
            }
            register_shutdown_function(static function () use ($folder): void {
                exec('rm -rf ' . escapeshellarg($folder));
            });
            self::$folders[$integration] = $folder;
        }
        return self::$folders[$integration];
    }
}
