<?php

declare(strict_types=1);

/** Finds in a PHP file what PHP 7.4 does not read. The tokens are those of whatever PHP runs this, 8.0 or later. */
final class NewerSyntax
{
    private const FUNCTIONS = ['str_contains', 'str_starts_with', 'str_ends_with', 'array_is_list', 'get_debug_type', 'fdiv',
        'preg_last_error_msg', 'get_resource_id', 'array_find', 'array_any', 'array_all', 'json_validate', 'mb_str_pad', 'mb_trim'];

    /** @return array<int, string> `line: what`. */
    public static function in(string $code): array
    {
        $tokens = array_values(array_filter(PhpToken::tokenize($code, TOKEN_PARSE), static function (PhpToken $token): bool {
            return !$token->is([T_WHITESPACE, T_COMMENT, T_DOC_COMMENT]);
        }));
        $found = [];
        $lines = explode("\n", $code);
        foreach ($tokens as $at => $token) {
            $before = $tokens[$at - 1] ?? null;
            $after = $tokens[$at + 1] ?? null;
            $say = static function (string $what) use (&$found, $token): void {
                $found[] = $token->line . ': ' . $what;
            };
            if ($token->is([T_MATCH, T_ENUM, T_READONLY, T_NULLSAFE_OBJECT_OPERATOR])) {
                $say($token->text);
            } elseif ($token->is(T_ATTRIBUTE) && preg_match('/^\s*#\[[^\]]*\]\s*\z/', $lines[$token->line - 1]) !== 1) {
                $say('an attribute that is not alone on its line, where 7.4 takes it for a comment');
            } elseif ($token->is('|') && self::isUnion($tokens, $at)) {
                $say('a union of types');
            } elseif ($token->is(T_STRING) && $after && $after->is(':') && $before->is(['(', ','])) {
                $say('a named argument');
            } elseif ($token->is([T_PUBLIC, T_PROTECTED, T_PRIVATE]) && $before->is(['(', ','])) {
                $say('a promoted property');
            } elseif ($token->is(T_THROW) && !$before->is([';', '{', '}', ')', ':', T_OPEN_TAG, T_ELSE])) {
                $say('throw as an expression');
            } elseif ($token->is(T_CATCH) && self::isWithoutVariable($tokens, $at)) {
                $say('catch without a variable');
            } elseif ($token->text === 'class' && $before->is(T_DOUBLE_COLON) && $tokens[$at - 2]->is([T_VARIABLE, ')', ']'])) {
                $say('::class of an object');
            } elseif ($token->is(T_ELLIPSIS) && $after->is(')')) {
                $say('a first-class callable');
            } elseif ($token->is([T_FUNCTION, T_FN]) && self::hasTrailingComma($tokens, $at)) {
                $say('a comma after the last parameter');
            } elseif ($token->is([T_STATIC, T_STRING]) && in_array(strtolower($token->text), ['static', 'mixed', 'never'], true)
                && (self::isReturnType($tokens, $at) || (strtolower($token->text) === 'mixed' && $after->is(T_VARIABLE)))) {
                $say('the type ' . $token->text);
            } elseif ($token->is(T_STRING) && in_array(strtolower($token->text), self::FUNCTIONS, true) && $after->is('(')
                && !$before->is([T_OBJECT_OPERATOR, T_DOUBLE_COLON, T_FUNCTION])) {
                $say($token->text . '()');
            }
        }
        return $found;
    }

    /** Names joined by `|` before a variable or after a function's colon; but not what `catch` takes. */
    private static function isUnion(array $tokens, int $at): bool
    {
        $name = [T_STRING, T_ARRAY, T_STATIC, T_CALLABLE, T_NAME_QUALIFIED, T_NAME_FULLY_QUALIFIED, '|'];
        for ($first = $at; $tokens[$first - 1]->is($name); $first--);
        for ($last = $at; $tokens[$last + 1]->is($name); $last++);
        $opens = $tokens[$first - 1];
        if ($opens->is('(') && $tokens[$first - 2]->is(T_CATCH)) {
            return false;
        }
        $declares = $opens->is(['(', ',', T_PUBLIC, T_PROTECTED, T_PRIVATE, T_VAR]);
        return ($declares && $tokens[$last + 1]->is([T_VARIABLE, T_ELLIPSIS])) || ($opens->is(':') && $tokens[$first - 2]->is(')')
            && $tokens[$last + 1]->is(['{', ';', T_DOUBLE_ARROW]));
    }

    private static function isWithoutVariable(array $tokens, int $at): bool
    {
        for ($at++; !$tokens[$at]->is(')'); $at++) {
            if ($tokens[$at]->is(T_VARIABLE)) {
                return false;
            }
        }
        return true;
    }

    private static function hasTrailingComma(array $tokens, int $at): bool
    {
        while (!$tokens[$at]->is('(')) {
            $at++;
        }
        for ($depth = 0, $end = $at; $end < count($tokens); $end++) {
            $depth += $tokens[$end]->is('(') ? 1 : ($tokens[$end]->is(')') ? -1 : 0);
            if ($depth === 0) {
                return $tokens[$end - 1]->is(',');
            }
        }
        return false;
    }

    private static function isReturnType(array $tokens, int $at): bool
    {
        $colon = $tokens[$at - 1]->is('?') ? $at - 2 : $at - 1;
        return $tokens[$colon]->is(':') && $tokens[$colon - 1]->is(')') && $tokens[$at + 1]->is(['{', ';', T_DOUBLE_ARROW]);
    }
}
