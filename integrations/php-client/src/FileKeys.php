<?php

declare(strict_types=1);

namespace Keyturn\Client;

/**
 * Kept as files in a folder of one's own, for systems that give an extension no better place. Not below what a web server serves;
 * and one that others on the machine can write to is refused: they could have a retry answered by something else.
 */
final class FileKeys implements KeptKeys
{
    private string $folder;

    /** @param string $folder Made with mode 700 if it is not there. Empty: one among the machine's temporary files. */
    public function __construct(string $folder)
    {
        $own = sys_get_temp_dir() . '/keyturn-operations-' . (function_exists('posix_geteuid') ? posix_geteuid() : get_current_user());
        $this->folder = $folder === '' ? $own : rtrim($folder, '/');
    }

    public function find(string $deed): ?array
    {
        $text = $this->isOurs() && is_file($this->file($deed)) ? file_get_contents($this->file($deed)) : false;
        return is_string($text) ? Deeds::entry(json_decode($text, true)) : null;
    }

    public function keep(string $deed, string $key, string $hook, int $at): void
    {
        if (!is_dir($this->folder) && !@mkdir($this->folder, 0700, true) && !is_dir($this->folder)) {
            throw new \RuntimeException('The folder for operations can\'t be created.');
        }
        if (!$this->isOurs()) {
            throw new \RuntimeException('The folder for operations must belong to this user, and nobody else may write to it.');
        }
        $text = (string) json_encode(['key' => $key, 'hook' => $hook, 'at' => $at]);
        // Whole or not at all: a file that is cut off would lose the key.
        $beside = $this->file($deed) . '.' . bin2hex(random_bytes(8));
        if (@file_put_contents($beside, $text) !== strlen($text) || !@rename($beside, $this->file($deed))) {
            @unlink($beside);
            throw new \RuntimeException('The folder for operations can\'t be written to.');
        }
    }

    public function forget(string $deed): void
    {
        if (is_file($this->file($deed))) {
            @unlink($this->file($deed));
        }
    }

    private function isOurs(): bool
    {
        clearstatcache(true, $this->folder);
        return is_dir($this->folder) && !is_link($this->folder) && (fileperms($this->folder) & 022) === 0
            && (!function_exists('posix_geteuid') || fileowner($this->folder) === posix_geteuid());
    }

    private function file(string $deed): string
    {
        return $this->folder . '/' . hash('sha256', $deed) . '.json';
    }
}
