<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

use Illuminate\Database\Capsule\Manager as Capsule;

/**
 * The custom field of a product with the account of a service. Clients must not be able to fill it in, in their pages or with an
 * order: they could name another's account.
 */
final class AccountField
{
    private string $name;
    /** @var array<int, object> Rows of tblcustomfields; WHMCS lets several have one name. */
    private array $fields = [];

    /** @param string $name As the settings have it: of "account|Account in the panel", what clients see left out. */
    public function __construct(int $product, string $name)
    {
        $this->name = $name;
        foreach (Capsule::table('tblcustomfields')->where('type', 'product')->where('relid', $product)->get() as $field) {
            if (trim(explode('|', (string) $field->fieldname)[0]) === $name) {
                $this->fields[] = $field;
            }
        }
    }

    /** Whether no field of this name is one that clients fill in. */
    public function isForStaffOnly(): bool
    {
        foreach ($this->fields as $field) {
            if ((string) $field->adminonly !== 'on' || (string) $field->showorder === 'on') {
                return false;
            }
        }
        return true;
    }

    /** What to do about it where not, for staff. */
    public function whatToTick(): string
    {
        return 'The custom field ' . $this->name . ' must have Admin Only ticked and Show on Order Form unticked.';
    }

    /** What it holds for a service; empty: nothing, or there is no such field. */
    public function of(int $service): string
    {
        if ($this->fields === []) {
            return '';
        }
        $values = Capsule::table('tblcustomfieldsvalues')->where('fieldid', $this->fields[0]->id)->where('relid', $service);
        return trim((string) $values->value('value'));
    }
}
