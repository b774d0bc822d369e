<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/support/NewerSyntax.php';

/** What is shipped is read by PHP 7.4 as well as by the PHP that runs this. */
final class SyntaxTest extends TestCase
{
    /** @dataProvider files */
    public function testAFileIsReadByPhp74(string $file): void
    {
        exec(escapeshellarg(PHP_BINARY) . ' -l ' . escapeshellarg($file) . ' 2>&1', $said, $code);
        self::assertSame(0, $code, implode("\n", $said));
        self::assertSame([], NewerSyntax::in((string) file_get_contents($file)));
    }

    /** @return array<string, array{string}> */
    public function files(): array
    {
        $files = [];
        foreach (['php-client', 'php-views', 'whmcs', 'fossbilling', 'blesta', 'clientexec'] as $folder) {
            $folder = dirname(__DIR__) . '/' . $folder;
            foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($folder, FilesystemIterator::SKIP_DOTS)) as $file) {
                if (preg_match('/\.(php|pdt)\z/', (string) $file) === 1) {
                    $files[substr((string) $file, strlen(dirname(__DIR__)) + 1)] = [(string) $file];
                }
            }
        }
        self::assertGreaterThan(30, count($files));
        return $files;
    }

    /** @dataProvider newer */
    public function testWhatPhp74DoesNotReadIsFound(string $code): void
    {
        self::assertNotSame([], NewerSyntax::in('<?php ' . $code));
    }

    /** @return array<string, array{string}> */
    public function newer(): array
    {
        $all = ['$a = match (1) { 1 => 2 };', 'enum A {}', 'class A { public readonly int $a; }', '$a?->b();', 'f(#[A] fn () => 1);',
            'function f(int|string $a) {}', 'f(name: 1);', 'f(1, name: 2);', 'class A { function __construct(private int $a) {} }',
            '$a = $b ?? throw new E();', 'try { f(); } catch (E) {}', '$a = $b::class;', '$a = f(...);', 'function f($a,) {}',
            'class A { function f(): static {} }', 'function f(mixed $a) {}', 'function f(): int|A {}', 'class A { public A|null $b; }', 'function f(): mixed {}', 'function f(): never {}',
            'str_contains($a, $b);', 'if (str_starts_with($a, $b)) {}'];
        $cases = [];
        foreach ($all as $code) {
            $cases[$code] = [$code];
        }
        return $cases;
    }

    public function testWhatPhp74ReadsIsLetBe(): void
    {
        $code = "<?php\nfunction f(\n    #[\\SensitiveParameter]\n    ?array \$a\n): ?self {}\ntry { f(); } catch (A|B \$e) { throw \$e; }\n"
            . '$a = $b ? X : Y; $a = f(X | Y); $a = X | $b; switch ($a) { case X: f(1, 2,); } $o->str_contains(); if ($a) throw new E(); static fn (int $x): int => $x;';
        self::assertSame([], NewerSyntax::in($code));
    }
}
