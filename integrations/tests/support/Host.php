<?php

declare(strict_types=1);

use Keyturn\Client\Client;
use Keyturn\Client\Settings;
use PHPUnit\Framework\Assert;

/**
 * The Keyturn host that tests/flows/hooks/billing.rs has started for this run, with the people that it lists: customers 1 marta,
 * 2 omar, 3 lena and 4 pavel (of one address), 5 nomail (of none), 6 omar@haddad.example (which is omar's address).
 */
final class Host
{
    public static function address(): string
    {
        return self::named('KEYTURN_ADDRESS');
    }

    /** `127.0.0.1:1234`, for a step of the fake host that hands a request on. */
    public static function socket(): string
    {
        return substr(self::address(), strlen('http://'));
    }

    /**
     * Of the key that an integration's page in docs/ makes, or of the tests' own. From a file: an argument or a variable can be seen
     * by others on the machine.
     */
    public static function token(string $of = 'tests'): string
    {
        $token = file_get_contents(self::named('KEYTURN_TOKENS') . '/' . $of);
        if (!is_string($token) || $token === '') {
            throw new RuntimeException('There is no token of ' . $of);
        }
        return trim($token);
    }

    /** @param array<string, mixed> $more */
    public static function client(array $more = []): Client
    {
        return new Client(new Settings($more + ['address' => self::address(), 'token' => self::token()]));
    }

    /** Holds a password against what the host would let in. */
    public static function assertSignsIn(string $login, string $password): void
    {
        Assert::assertSame('accepted', self::verdict($login, $password));
    }

    public static function verdict(string $login, string $password): string
    {
        $verdict = self::client()->call('password/verify', ['login_or_email' => $login, 'password' => $password]);
        Assert::assertTrue($verdict->isDone(), print_r($verdict, true));
        return $verdict->getAnswer()['kind'];
    }

    /**
     * Passwords that have been mangled somewhere: by HTML, URLs, shells, JSON, templates, trimming, a wrong charset, a cut at 72
     * bytes.
     *
     * @return array<string, array{string}>
     */
    public static function passwords(): array
    {
        $all = [
            'R&D fish & chips &amp; &lt;b&gt; &#039;', '<b>"double" and \'single\'</b> oats', '#hash %41 %2B + plus \\ back / slash',
            '  leading spaces lantern', 'trailing spaces lantern  ', '€ uro ñandú lantern Ümlaut', '🔑🧭 copper lantern 🛶 oats',
            "cafe\u{301} lantern copper oats", "tab\tinside copper lantern", '{$smarty} ${php} `shell` $(lantern)',
            'null 0 false copper lantern', '漢字かな交じり文の合言葉です、ね。', "right \u{200f}to left \u{2028} line", 'back\\u0041slash\\n lantern',
            'a long one: ' . implode(' ', ['velvet', 'compass', 'harbour', 'copper', 'lantern', 'oats', 'thimble', 'orchard', 'granite',
                'saffron', 'pebble']) . ' … and its end counts',
        ];
        $cases = [];
        foreach ($all as $password) {
            $cases[$password] = [$password];
        }
        return $cases;
    }

    private static function named(string $name): string
    {
        $value = getenv($name);
        if (!is_string($value) || $value === '') {
            throw new RuntimeException($name . ' is not set: cargo test --workspace --test command -- hooks::billing starts a host');
        }
        return $value;
    }
}
