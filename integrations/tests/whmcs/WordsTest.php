<?php

declare(strict_types=1);

use Keyturn\Client\Sentences;
use Keyturn\Whmcs\Entities;
use Keyturn\Whmcs\Words;
use PHPUnit\Framework\TestCase;

final class WordsTest extends TestCase
{
    public function testBothLanguagesSayTheSameThings(): void
    {
        foreach ([Words::class, Sentences::class] as $class) {
            $words = (new ReflectionClassConstant($class, 'WORDS'))->getValue();
            self::assertSame(['en', 'es'], array_keys($words));
            self::assertSame(array_keys($words['en']), array_keys($words['es']));
            foreach ($words['en'] as $word => $english) {
                preg_match_all('/\{\w+\}/', $english, $values);
                preg_match_all('/\{\w+\}/', $words['es'][$word], $same);
                self::assertEqualsCanonicalizing($values[0], $same[0], $word);
                self::assertDoesNotMatchRegularExpression('/[<>!]/', $english . $words['es'][$word]);
            }
        }
    }

    public function testEachProblemHasASentenceOfItsOwnAndNothingIsCalledSuccess(): void
    {
        $codes = array_keys((new ReflectionClassConstant(Keyturn\Client\Problem::class, 'CODES'))->getValue());
        $english = (new ReflectionClassConstant(Sentences::class, 'WORDS'))->getValue()['en'];
        $alike = (new ReflectionClassConstant(Sentences::class, 'ALIKE'))->getValue();
        foreach ($codes as $code) {
            self::assertTrue(isset($english[$code]) || isset($english[$alike[$code] ?? '']), $code);
        }
        foreach ($english as $sentence) {
            self::assertStringNotContainsStringIgnoringCase('success', $sentence);
        }
        self::assertSame($english['busy'], Sentences::of('rate', 'de'));
        self::assertStringContainsString('ocupado', Sentences::of('rate', 'es-MX'));
    }

    public function testSomebodyElsesTextBecomesOnePlainLine(): void
    {
        self::assertSame('a ‹b› c', Sentences::plain(" a <b>\r\n\t\u{202e}c\0 "));
        self::assertSame('', Sentences::plain("\xff"));
        self::assertSame('', Sentences::plain(['a']));
        self::assertSame('ññ', Sentences::plain('ñññ', 2));
    }

    public function testEntitiesAreDecodedOnceAndOnlyTheFive(): void
    {
        self::assertSame('& < > " \' \' &amp;quot; &euro; &#8364;', Entities::decode('&amp; &lt; &gt; &quot; &#039; &#39; &amp;amp;quot; &euro; &#8364;'));
    }

    /** @dataProvider languages */
    public function testALanguageIsKnownByWhmcssNameOfIt($name, string $language): void
    {
        self::assertSame($language, Words::languageNamed($name));
    }

    /** @return array<int, array{mixed, string}> */
    public function languages(): array
    {
        return [['english', 'en'], ['Spanish', 'es'], ['spanish-mx', 'es'], ['', 'en'], [null, 'en'], ['german', 'en']];
    }
}
