<?php

declare(strict_types=1);

/** Clientexec's classes around a server plugin, as its own open plugins use them; none of its code. */
class ServerPlugin
{
    /** @var array<string, mixed> What buildParams answers. */
    public array $built = [];

    public function buildParams($userPackage, $args = []): array
    {
        return $args + $this->built;
    }
}

class UserPackage
{
    public $id;

    public function __construct($id)
    {
        $this->id = $id;
    }
}

class CE_Exception extends Exception
{
}

class CE_Lib
{
    /** @var array<int, string> */
    public static array $log = [];

    public static function log($level, $text): void
    {
        self::$log[] = (string) $text;
    }
}

function lang($text)
{
    return $text;
}
