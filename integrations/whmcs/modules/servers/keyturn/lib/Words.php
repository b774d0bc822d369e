<?php

declare(strict_types=1);

namespace Keyturn\Whmcs;

/** What the modules say about a password and its email, in English and Spanish. */
final class Words
{
    private const WORDS = [
        'en' => [
            'account' => 'Account', 'password' => 'Password', 'mail' => 'Last email (times in UTC)', 'open' => 'Open actions',
            'state-set' => 'A password is set.',
            'state-temporary' => 'A temporary password works until {time}. It must be changed at the first sign-in.',
            'state-must_change' => 'It must be changed at the next sign-in.',
            'state-none' => 'There is no password: nobody can sign in with one.',
            'changed' => 'Last set {time}.',
            'no-mail' => 'None.',
            'to' => 'To {address}.',
            'answered' => 'Their server said: {answer}',
            'open-since' => 'The result of “{deed}” ({time}) is not known yet.',
            'deed-set' => 'Change password', 'deed-mail' => 'Reset & mail password', 'deed-link' => 'Send set-password link',
            'not-now' => 'Not known right now: {reason}',
            'mailed' => 'The email is queued. {sentence}', 'set' => 'The new password is set.',
            'title' => 'Panel password', 'new' => 'New password', 'again' => 'Repeat the new password',
            'save' => 'Change password', 'not-same' => 'The two passwords differ. Nothing was changed.',
            'look' => 'Check again', 'back' => 'Back',
            'point-temporary' => 'A temporary password is emailed to the address in the panel. It replaces the current one at once, and open sessions end.',
            'point-permanent' => 'A new password is emailed to the address in the panel. It replaces the current one at once, and open sessions end.',
            'point-link' => 'A one-time link is emailed to the address in the panel. The current password works until the link is used.',
            'settled-done' => 'It was done.', 'no-service' => 'This service does not exist.',
            'form-expired' => 'This form has expired. Nothing was changed. Try again.',
            'services' => 'Services', 'manage' => 'Password', 'no-services' => 'This client has no service with a user name.',
            'no-client' => 'Open this page from a client’s summary, or from one of their services.',
            'suspended' => 'This service is not active, so its password cannot be changed here.',
        ],
        'es' => [
            'account' => 'Cuenta', 'password' => 'Contraseña', 'mail' => 'Último correo (horas en UTC)', 'open' => 'Acciones pendientes',
            'state-set' => 'Hay una contraseña.',
            'state-temporary' => 'Una contraseña temporal funciona hasta {time}. Hay que cambiarla al iniciar sesión por primera vez.',
            'state-must_change' => 'Hay que cambiarla al iniciar sesión la próxima vez.',
            'state-none' => 'No hay contraseña: nadie puede iniciar sesión con una.',
            'changed' => 'Puesta por última vez {time}.',
            'no-mail' => 'Ninguno.',
            'to' => 'Para {address}.',
            'answered' => 'Su servidor dijo: {answer}',
            'open-since' => 'Aún no se conoce el resultado de «{deed}» ({time}).',
            'deed-set' => 'Cambiar contraseña', 'deed-mail' => 'Restablecer y enviar contraseña',
            'deed-link' => 'Enviar enlace para elegirla',
            'not-now' => 'No se sabe ahora mismo: {reason}',
            'mailed' => 'El correo está en cola. {sentence}', 'set' => 'La contraseña nueva está puesta.',
            'title' => 'Contraseña del panel', 'new' => 'Contraseña nueva', 'again' => 'Repetir la contraseña nueva',
            'save' => 'Cambiar contraseña', 'not-same' => 'Las dos contraseñas no coinciden. No se ha cambiado nada.',
            'look' => 'Comprobar otra vez', 'back' => 'Volver',
            'point-temporary' => 'Se envía una contraseña temporal a la dirección que tiene el panel. Sustituye a la actual al momento y se cierran las sesiones abiertas.',
            'point-permanent' => 'Se envía una contraseña nueva a la dirección que tiene el panel. Sustituye a la actual al momento y se cierran las sesiones abiertas.',
            'point-link' => 'Se envía un enlace de un solo uso a la dirección que tiene el panel. La contraseña actual funciona hasta que se use.',
            'settled-done' => 'Se hizo.', 'no-service' => 'No existe este servicio.',
            'form-expired' => 'Este formulario ha caducado. No se ha cambiado nada. Inténtalo de nuevo.',
            'services' => 'Servicios', 'manage' => 'Contraseña', 'no-services' => 'Este cliente no tiene ningún servicio con usuario.',
            'no-client' => 'Abre esta página desde el resumen de un cliente o desde uno de sus servicios.',
            'suspended' => 'Este servicio no está activo: su contraseña no se puede cambiar aquí.',
        ],
    ];

    private string $language;

    /** @param string $language As the client's settings have it: `en`, `es`. */
    public function __construct(string $language)
    {
        $this->language = isset(self::WORDS[$language]) ? $language : 'en';
    }

    /** @param mixed $name WHMCS's name of a language: `english`, `spanish`. */
    public static function languageNamed($name): string
    {
        return is_string($name) && strncmp(strtolower($name), 'spanish', 7) === 0 ? 'es' : 'en';
    }

    /** @param array<string, string> $values */
    public function of(string $word, array $values = []): string
    {
        $replaced = [];
        foreach ($values as $name => $value) {
            $replaced['{' . $name . '}'] = $value;
        }
        return strtr(self::WORDS[$this->language][$word], $replaced);
    }

    /** @return array<string, string> */
    public function all(): array
    {
        return self::WORDS[$this->language];
    }

    /** @return array<int, string> */
    public static function languages(): array
    {
        return array_keys(self::WORDS);
    }

    /** @param int $millis Since 1970. */
    public static function time(int $millis): string
    {
        return gmdate('Y-m-d H:i', intdiv($millis, 1000)) . ' UTC';
    }
}
