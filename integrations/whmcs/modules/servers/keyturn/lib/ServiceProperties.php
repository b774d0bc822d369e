<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

use Keyturn\Client\Deeds;
use Keyturn\Client\KeptKeys;

/** Idempotency-Keys in a service property, which WHMCS keeps as a custom field of the service. */
final class ServiceProperties implements KeptKeys
{
    private const PROPERTY = 'Keyturn operations';

    /** @var object WHMCS's model of the service or addon. */
    private $model;

    /** @param mixed $model As in `$params['model']`. */
    public static function of($model): ?self
    {
        if (!is_object($model) || !isset($model->serviceProperties) || !is_object($model->serviceProperties)) {
            return null;
        }
        $kept = new self();
        $kept->model = $model;
        return $kept;
    }

    public function find(string $deed): ?array
    {
        return Deeds::entry($this->read()[$deed] ?? null);
    }

    public function keep(string $deed, string $key, string $hook, int $at): void
    {
        $this->write([$deed => ['key' => $key, 'hook' => $hook, 'at' => $at]] + $this->read());
        if (($this->find($deed)['key'] ?? null) !== $key) {
            throw new \RuntimeException('The service property ' . self::PROPERTY . ' does not store what is written to it.');
        }
    }

    public function forget(string $deed): void
    {
        $all = $this->read();
        if (isset($all[$deed])) {
            unset($all[$deed]);
            try {
                $this->write($all);
            } catch (\RuntimeException $cause) {
                // A key too many is found settled the next time.
            }
        }
    }

    /** @return array<string, mixed> */
    private function read(): array
    {
        $text = $this->model->serviceProperties->get(self::PROPERTY);
        // A custom field may come back as HTML; nothing in it but the quotes can have been escaped.
        $all = is_string($text) ? json_decode(html_entity_decode($text, ENT_QUOTES, 'UTF-8'), true) : null;
        return is_array($all) ? $all : [];
    }

    /** @param array<string, mixed> $all */
    private function write(array $all): void
    {
        try {
            $text = $all === [] ? '' : (string) json_encode($all, JSON_UNESCAPED_SLASHES);
            $this->model->serviceProperties->save([self::PROPERTY => $text]);
        } catch (\Exception $cause) {
            throw new \RuntimeException('The service property ' . self::PROPERTY . ' cannot be written.');
        }
    }
}
