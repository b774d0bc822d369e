<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

use Illuminate\Database\Capsule\Manager as Capsule;
use Keyturn\Client\Deeds;
use Keyturn\Client\KeptKeys;

/** Idempotency-Keys in the addon's own table. */
final class OperationsTable implements KeptKeys
{
    public const TABLE = 'mod_keyturn_operations';

    public static function create(): void
    {
        if (!Capsule::schema()->hasTable(self::TABLE)) {
            Capsule::schema()->create(self::TABLE, static function ($table): void {
                $table->string('deed', 64)->primary();
                $table->string('idempotency_key', 255);
                $table->string('hook', 64);
                $table->integer('attempted_at');
            });
        }
    }

    public function find(string $deed): ?array
    {
        try {
            $row = Capsule::table(self::TABLE)->where('deed', $deed)->first();
        } catch (\Exception $cause) {
            // No table: the addon was not activated, and `keep` says so before anything is sent.
            $row = null;
        }
        return $row === null ? null
            : Deeds::entry(['key' => $row->idempotency_key, 'hook' => $row->hook, 'at' => (int) $row->attempted_at]);
    }

    public function keep(string $deed, string $key, string $hook, int $at): void
    {
        try {
            Capsule::table(self::TABLE)->where('deed', $deed)->delete();
            Capsule::table(self::TABLE)->insert(
                ['deed' => $deed, 'idempotency_key' => $key, 'hook' => $hook, 'attempted_at' => $at]
            );
        } catch (\Exception $cause) {
            throw new \RuntimeException('The table ' . self::TABLE . ' cannot be written: is the addon activated?');
        }
    }

    public function forget(string $deed): void
    {
        try {
            Capsule::table(self::TABLE)->where('deed', $deed)->delete();
        } catch (\Exception $cause) {
            // A key too many is found settled the next time.
        }
    }
}
