<?php

declare(strict_types=1);

namespace Keyturn\Client;

/** Sentences for people, in English and Spanish, by code. Plain text that reveals nothing internal. */
final class Sentences
{
    /** Codes that share a sentence. */
    private const ALIKE = [
        'json' => 'not-let-in', 'arguments' => 'not-let-in', 'idempotency-key' => 'not-let-in', 'client-address' => 'not-let-in', 'no-key' => 'not-let-in',
        'bad-key' => 'not-let-in', 'bad-signature' => 'not-let-in', 'address' => 'not-let-in', 'not-allowed' => 'not-let-in',
        'step-up' => 'not-let-in', 'forbidden' => 'not-let-in', 'no-such-hook' => 'not-let-in',
        'no-such-address' => 'not-let-in', 'method' => 'not-let-in', 'media-type' => 'not-let-in', 'too-large' => 'not-let-in',
        'body-late' => 'busy', 'conflict' => 'busy', 'rate' => 'busy', 'throttled' => 'busy', 'unavailable' => 'busy',
        'deadline' => 'busy', 'plugin' => 'fault', 'limit' => 'fault', 'storage' => 'fault', 'error' => 'fault',
        'key-reused' => 'fault', 'not-kept' => 'not-let-in', 'internal' => 'indeterminate', 'not-so-far' => 'indeterminate', 'unknown-hook' => 'not-let-in',
    ];

    private const WORDS = [
        'en' => [
            'unreachable' => 'The password service cannot be reached right now. Nothing was changed. Try again in a few minutes.',
            'untrusted' => 'The connection to the password service is not safe, so nothing was sent or changed. Contact support.',
            'no-answer' => 'The password service did not answer in time. Nothing was changed. Try again in a minute.',
            'bad-answer' => 'The password service gave an answer that cannot be read. Contact support.',
            'indeterminate' => 'No answer came in time, so it may or may not have been done. Do the same again in a minute: it is not done twice.',
            'under-way' => 'This is still being done. Check again in a minute.',
            'not-done' => 'It was not done. Nothing was changed. You can try again.',
            'done-before' => 'It was done at the first attempt, and was not repeated. If the password has been changed since, do it again.',
            'changed-since' => 'It was done, but the password has been changed again since. If you still want it, do it again.',
            'too-long-ago' => 'This was more than a day ago, so its result is no longer known. Check the account.',
            'not-let-in' => 'The password service did not let this request in. Nothing was changed. Contact support.',
            'not-found' => 'This account is not in the panel, or out of reach. Nothing was changed.',
            'busy' => 'The password service is busy right now. Nothing was changed. Try again in a minute.',
            'too-often' => 'The password service was asked too often from here. Nothing was changed. Try again in a minute.',
            'fault' => 'The password service had a fault. Nothing was changed. Contact support.',
            'unsupported' => 'This panel cannot do that. Nothing was changed.',
            'expired' => 'This no longer works. Nothing was changed.',
            'invalid' => 'This password is not accepted. Nothing was changed. Choose another one.',
            'refused' => 'The panel did not allow this. Nothing was changed.',
            'mode-not-offered' => 'This panel does not offer this kind of reset. Nothing was changed. In the settings of this module, set “Reset & mail password sends” to link.',
            'not-utf-8' => 'This password has characters that cannot be read (it is not UTF-8). Nothing was changed.',
            'nul' => 'A password cannot contain a NUL character. Nothing was changed.',
            'empty' => 'The new password is empty. Nothing was changed.',
            'no-name' => 'This service has no user name, so its account in the panel is unknown. Nothing was changed.',
            'no-account' => 'No account in the panel has this user name. Nothing was changed.',
            'ambiguous' => 'More than one account in the panel matches this user name. Nothing was changed.',
            'not-theirs' => 'No account in the panel has both this user name and the client’s email address. Nothing was changed.',
            'open-field' => 'The custom field that names the account is not for staff only, so it is not used. Nothing was changed.',
            'not-set-up' => 'Passwords are not set up here. Nothing was changed. Contact support.',
            'passwords-only' => 'This module manages passwords only. Nothing was done: do it in the panel.',
        ],
        'es' => [
            'unreachable' => 'El servicio de contraseñas no responde ahora mismo. No se ha cambiado nada. Inténtalo de nuevo en unos minutos.',
            'untrusted' => 'La conexión con el servicio de contraseñas no es segura: no se ha enviado ni cambiado nada. Escribe al servicio de asistencia.',
            'no-answer' => 'El servicio de contraseñas no respondió a tiempo. No se ha cambiado nada. Inténtalo de nuevo en un minuto.',
            'bad-answer' => 'El servicio de contraseñas dio una respuesta que no se puede leer. Escribe al servicio de asistencia.',
            'indeterminate' => 'No llegó ninguna respuesta a tiempo: puede que se haya hecho o que no. Repite lo mismo en un minuto; no se hará dos veces.',
            'under-way' => 'Todavía se está haciendo. Vuelve a mirar en un minuto.',
            'not-done' => 'No se hizo. No se ha cambiado nada; puedes intentarlo de nuevo.',
            'done-before' => 'Se hizo en el primer intento y no se ha repetido. Si la contraseña ha cambiado desde entonces, hazlo otra vez.',
            'changed-since' => 'Se hizo, pero la contraseña ha vuelto a cambiar desde entonces. Si aún lo quieres, hazlo otra vez.',
            'too-long-ago' => 'Fue hace más de un día y ya no se conoce el resultado. Mira la cuenta.',
            'not-let-in' => 'El servicio de contraseñas no admitió la petición. No se ha cambiado nada. Escribe al servicio de asistencia.',
            'not-found' => 'Esta cuenta no está en el panel o no está a su alcance. No se ha cambiado nada.',
            'busy' => 'El servicio de contraseñas está ocupado. No se ha cambiado nada. Inténtalo de nuevo en un minuto.',
            'too-often' => 'Se ha preguntado demasiado al servicio de contraseñas desde aquí. No se ha cambiado nada. Inténtalo de nuevo en un minuto.',
            'fault' => 'El servicio de contraseñas tuvo un fallo. No se ha cambiado nada. Escribe al servicio de asistencia.',
            'unsupported' => 'Este panel no puede hacer eso. No se ha cambiado nada.',
            'expired' => 'Esto ya no funciona. No se ha cambiado nada.',
            'invalid' => 'Esta contraseña no se acepta. No se ha cambiado nada. Elige otra.',
            'refused' => 'El panel no lo permite. No se ha cambiado nada.',
            'mode-not-offered' => 'Este panel no ofrece esta forma de restablecer. No se ha cambiado nada. En los ajustes de este módulo, elige link como lo que se envía al restablecer.',
            'not-utf-8' => 'Esta contraseña tiene caracteres que no se pueden leer (no es UTF-8). No se ha cambiado nada.',
            'nul' => 'Una contraseña no puede contener el carácter NUL. No se ha cambiado nada.',
            'empty' => 'La contraseña nueva está vacía. No se ha cambiado nada.',
            'no-name' => 'Este servicio no tiene usuario, así que no se sabe cuál es su cuenta en el panel. No se ha cambiado nada.',
            'no-account' => 'Ninguna cuenta del panel tiene este usuario. No se ha cambiado nada.',
            'ambiguous' => 'Más de una cuenta del panel encaja con este usuario. No se ha cambiado nada.',
            'not-theirs' => 'Ninguna cuenta del panel tiene a la vez este usuario y el correo del cliente. No se ha cambiado nada.',
            'open-field' => 'El campo personalizado que nombra la cuenta no es solo para el personal, así que no se usa. No se ha cambiado nada.',
            'not-set-up' => 'Aquí no se han configurado las contraseñas. No se ha cambiado nada. Escribe al servicio de asistencia.',
            'passwords-only' => 'Este módulo solo se ocupa de las contraseñas. No se ha hecho nada: hazlo en el panel.',
        ],
    ];

    public static function of(string $code, string $language): string
    {
        $words = self::WORDS[substr($language, 0, 2)] ?? self::WORDS['en'];
        return $words[$code] ?? $words[self::ALIKE[$code] ?? 'refused'];
    }

    /**
     * Somebody else's text as one line of plain text, safe wherever it is put: without `<` and `>` it is not HTML.
     *
     * @param mixed $text
     * @param int $length Characters at most.
     */
    public static function plain($text, int $length = 400): string
    {
        if (!is_string($text) || preg_match('//u', $text) !== 1) {
            return '';
        }
        $text = (string) preg_replace('/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/u', ' ', $text);
        $text = strtr(trim($text), ['<' => '‹', '>' => '›']);
        return preg_match('/^.{0,' . $length . '}/us', $text, $begin) === 1 ? $begin[0] : '';
    }
}
