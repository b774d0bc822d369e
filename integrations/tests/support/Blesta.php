<?php

declare(strict_types=1);

/** Blesta's classes around a module, as its open modules use them; none of its code. */
class Module
{
    public $base_uri = '/client/';
    public $view;
    public $Input;
    public $Clients;
    public $ModuleManager;
    public $config;
    /** What getModuleRow answers. */
    public $row;
    /** @var array<int, array<int, mixed>> */
    public array $logged = [];

    protected function loadConfig($file): void
    {
        $this->config = json_decode((string) file_get_contents($file), true);
        if (!is_array($this->config)) {
            throw new RuntimeException('config.json is no JSON');
        }
    }

    public function getModuleRow()
    {
        return $this->row;
    }

    public function serviceFieldsToObject(array $fields): stdClass
    {
        $object = new stdClass();
        foreach ($fields as $field) {
            $object->{$field->key} = $field->value;
        }
        return $object;
    }

    protected function log($url, $data = null, $direction = 'input', $success = false): void
    {
        $this->logged[] = [$url, $data, $direction, $success];
    }

    public function errors()
    {
        return $this->Input->errors();
    }
}

/** Clients: 7 is marta, 8 pavel, 9 has no address. */
class Clients
{
    public function get($id, $settings = true)
    {
        $emails = [7 => 'marta@vidal.example', 8 => 'office@shared.example', 9 => ''];
        return isset($emails[$id]) ? (object) ['id' => $id, 'email' => $emails[$id]] : false;
    }
}

class Input
{
    private $errors = false;

    public function setErrors(array $errors): void
    {
        $this->errors = $errors;
    }

    public function errors()
    {
        return $this->errors;
    }
}

class Loader
{
    public static function loadComponents($object, array $names): void
    {
        foreach ($names as $name) {
            $object->$name = new $name();
        }
    }

    public static function loadModels($object, array $names): void
    {
        foreach ($names as $name) {
            $object->$name = $object->$name ?? new $name();
        }
    }

    public static function loadHelpers($object, array $names): void
    {
        foreach ($names as $name) {
            $class = 'BlestaHelper' . $name;
            $object->view->$name = new $class();
        }
    }
}

class Language
{
    /** @var array<string, string> */
    public static array $words = [];

    public static function loadLang($file, $language, $folder): void
    {
        $lang = [];
        require $folder . 'en_us/' . $file . '.php';
        self::$words = $lang;
    }

    public static function _($word, $return = false)
    {
        if (!isset(self::$words[$word])) {
            throw new RuntimeException('no such word: ' . $word);
        }
        return self::$words[$word];
    }
}

class Configure
{
    public static function get($name)
    {
        return $name === 'Blesta.language' ? 'en_us' : null;
    }
}

class ModuleFields
{
    /** @var array<int, object> */
    public array $fields = [];

    public function label($text, $for): self
    {
        $label = new self();
        $label->fields[] = (object) ['label' => $text, 'for' => $for];
        return $label;
    }

    public function attach($field): void
    {
        $this->fields[] = $field;
    }

    public function fieldText($name, $value = null, $attributes = []): object
    {
        return (object) ['type' => 'text', 'name' => $name, 'value' => $value];
    }

    public function fieldPassword($name, $attributes = []): object
    {
        return (object) ['type' => 'password', 'name' => $name, 'value' => $attributes['value'] ?? null];
    }

    public function setField($field): void
    {
        $this->fields[] = $field;
    }
}

class View
{
    public $base_uri;
    public $Form;
    public $Html;
    public $Widget;
    private string $file;
    private string $folder = '';
    /** @var array<string, mixed> */
    private array $shown = [];

    public function __construct($file, $theme)
    {
        $this->file = $file;
    }

    public function setDefaultView($folder): void
    {
        $this->folder = Packed::folder('blesta') . '/' . $folder;
    }

    public function set($name, $value): void
    {
        $this->shown[$name] = $value;
    }

    public function _($word, $return = false)
    {
        if ($return) {
            return Language::_($word, true);
        }
        echo htmlspecialchars(Language::_($word, true));
    }

    public function fetch(): string
    {
        extract($this->shown);
        ob_start();
        require $this->folder . 'views/default/' . $this->file . '.pdt';
        return (string) ob_get_clean();
    }
}

final class BlestaHelperForm
{
    public function create($to = null, $attributes = []): void
    {
        echo '<form method="post" action="' . htmlspecialchars((string) $to) . '"><input type="hidden" name="_csrf_token">';
    }

    public function end(): void
    {
        echo '</form>';
    }

    public function label($text, $for): void
    {
        echo '<label for="' . htmlspecialchars($for) . '">' . htmlspecialchars($text) . '</label>';
    }

    public function fieldPassword($name, $attributes = []): void
    {
        echo '<input type="password" name="' . htmlspecialchars($name) . '" value="' . htmlspecialchars($attributes['value'] ?? '') . '">';
    }

    public function fieldText($name, $value = null, $attributes = []): void
    {
        echo '<input type="text" name="' . htmlspecialchars($name) . '" value="' . htmlspecialchars((string) $value) . '">';
    }

    public function fieldSelect($name, $options = [], $selected = null, $attributes = []): void
    {
        echo '<select name="' . htmlspecialchars($name) . '">';
        foreach ($options as $value => $label) {
            echo '<option value="' . htmlspecialchars($value) . '"' . ($value === $selected ? ' selected' : '') . '>'
                . htmlspecialchars($label) . '</option>';
        }
        echo '</select>';
    }

    public function fieldHidden($name, $value): void
    {
        echo '<input type="hidden" name="' . htmlspecialchars($name) . '" value="' . htmlspecialchars($value) . '">';
    }
}

final class BlestaHelperHtml
{
    public function safe($text): string
    {
        return htmlspecialchars((string) $text, ENT_QUOTES);
    }
}

final class BlestaHelperWidget
{
    public function __call($name, $arguments): void
    {
    }
}
