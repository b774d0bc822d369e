<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** A setting is missing or wrong. The message names it and never contains its value. */
final class InvalidSettings extends \InvalidArgumentException
{
}
