<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

/** `examples/php-panel` under PHP's own server, where its administrator gives his password once more. */
final class PanelTest extends TestCase
{
    private const TOKEN = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
    private const PASSWORD = 'keeper of the rack keys';

    private string $folder;
    private string $address;
    /** @var resource */
    private $server;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/keyturn-' . bin2hex(random_bytes(8));
        mkdir($this->folder, 0700);
    }

    protected function tearDown(): void
    {
        proc_terminate($this->server, 9);
        proc_close($this->server);
        exec('rm -rf ' . escapeshellarg($this->folder));
    }

    private function start(string $host): void
    {
        $panel = dirname(__DIR__, 3) . '/examples/php-panel';
        $environment = ['PANEL_DB' => $this->folder . '/panel.db', 'KEYTURN_TOKEN_FILE' => $this->folder . '/token',
            'KEYTURN_HOST' => $host, 'PATH' => (string) getenv('PATH')];
        $nothing = [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']];
        self::assertSame(0, proc_close(proc_open([PHP_BINARY, $panel . '/seed.php'], $nothing, $pipes, null, $environment)));
        $free = stream_socket_server('tcp://127.0.0.1:0');
        $this->address = (string) stream_socket_get_name($free, false);
        fclose($free);
        $command = [PHP_BINARY, '-S', $this->address, '-t', $panel . '/public'];
        $this->server = proc_open($command, $nothing, $pipes, null, $environment);
        for ($until = microtime(true) + 30; !($stream = @stream_socket_client('tcp://' . $this->address)); usleep(20000)) {
            self::assertLessThan($until, microtime(true), "PHP's server did not start");
        }
        fclose($stream);
    }

    /** @return array{int, string} The status, and head and body as one text; the session's cookie is kept in `$session`. */
    private function ask(string $page, ?string &$session, ?array $form = null): array
    {
        // Only forms reach the host: without a key the panel draws its pages alone, and uses up no step.
        $token = $this->folder . '/token';
        isset($form['kt']) || ($form !== null && $page === '/confirm.php') ? file_put_contents($token, self::TOKEN) : @unlink($token);
        $curl = curl_init('http://' . $this->address . $page);
        curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_HEADER => true, CURLOPT_PROXY => '', CURLOPT_TIMEOUT => 30,
            CURLOPT_COOKIE => (string) $session] + ($form === null ? [] : [CURLOPT_POSTFIELDS => http_build_query($form)]));
        $answer = (string) curl_exec($curl);
        if (preg_match_all('/^set-cookie: (panel=[^;]+)/mi', $answer, $set) > 0) {
            $session = end($set[1]);
        }
        return [(int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $answer];
    }

    private function csrf(string $page, ?string &$session): string
    {
        [, $answer] = $this->ask($page, $session);
        self::assertSame(1, preg_match('/name="csrf" value="([0-9a-f]+)"/', $answer, $found), $answer);
        return $found[1];
    }

    private function signIn(): string
    {
        $session = null;
        $form = ['csrf' => $this->csrf('/index.php', $session), 'login' => 'admin', 'password' => self::PASSWORD];
        self::assertSame(303, $this->ask('/index.php', $session, $form)[0]);
        return (string) $session;
    }

    /** One who is to give his password: a form of Keyturn's waits for it. */
    private function asked(?string $session = null): string
    {
        $session = $session ?? $this->signIn();
        [$status, $answer] = $this->ask('/customer.php?id=2', $session, ['kt' => 'x']);
        self::assertSame(303, $status, $answer);
        self::assertStringContainsString('/confirm.php', $answer);
        return $session;
    }

    private function isSignedIn(string $session): bool
    {
        return $this->ask('/customers.php', $session)[0] === 200;
    }

    /** @return array{int, string} */
    private function confirm(string &$session, string $csrf, string $password): array
    {
        return $this->ask('/confirm.php', $session, ['csrf' => $csrf, 'password' => $password]);
    }

    public function testFiveWrongPasswordsEndEachSessionAndARightOneBeginsTheCountAnew(): void
    {
        $held = FakeHost::answer(200, ['kind' => 'step-up', 'held' => 'h']);
        $done = FakeHost::answer(200, ['kind' => 'done', 'url' => '/customer.php?id=2', 'notice' => 'n', 'epoch' => null]);
        $host = new FakeHost([$held, $done, $held, $held, $held, $held]);
        $this->start($host->address);

        $session = $this->asked();
        $csrf = $this->csrf('/confirm.php', $session);
        for ($attempt = 1; $attempt <= 4; $attempt++) {
            self::assertSame(401, $this->confirm($session, $csrf, 'a guess')[0], (string) $attempt);
        }
        self::assertSame(303, $this->confirm($session, $csrf, self::PASSWORD)[0]);
        self::assertStringContainsString('/v1/views/held', $host->requests()[1]);
        $session = $this->asked($session);
        self::assertSame(401, $this->confirm($session, $csrf, 'a guess')[0], 'the right one has begun the count anew');

        // Two that were stolen, or made with a cookie that was: they have five guesses together.
        [$one, $two] = [$this->asked(), $this->asked()];
        [$csrfOfOne, $csrfOfTwo] = [$this->csrf('/confirm.php', $one), $this->csrf('/confirm.php', $two)];
        $database = new PDO('sqlite:' . $this->folder . '/panel.db');
        $database->exec("UPDATE users SET remember_token = 'x' WHERE username = 'admin'");
        for ($attempt = 1; $attempt <= 4; $attempt++) {
            $attempt % 2 ? $this->confirm($one, $csrfOfOne, 'a guess') : $this->confirm($two, $csrfOfTwo, 'a guess');
        }
        self::assertTrue($this->isSignedIn($one) && $this->isSignedIn($two) && $this->isSignedIn($session));
        [$before, $stolen] = [count($host->requests()), $one];
        [$status, $answer] = $this->confirm($one, $csrfOfOne, 'a guess');
        self::assertSame(303, $status);
        self::assertStringContainsString('/index.php', $answer);
        foreach ([$stolen, $one, $two, $session] as $ended) {
            self::assertFalse($this->isSignedIn($ended));
        }
        $remembered = $database->query("SELECT remember_token FROM users WHERE username = 'admin'")->fetchColumn();
        self::assertNull($remembered);
        $this->confirm($two, $csrfOfTwo, self::PASSWORD);
        self::assertCount($before, $host->requests(), 'what waited is not done');
        $anew = $this->asked();
        self::assertSame(401, $this->confirm($anew, $this->csrf('/confirm.php', $anew), 'a guess')[0], 'who signs in anew has five again');
        self::assertTrue($this->isSignedIn($anew));
    }

    public function testAnAttemptIsCountedBeforeItIsLookedAtSoThatManyAtOnceAreNoMore(): void
    {
        $host = new FakeHost([FakeHost::answer(200, ['kind' => 'step-up', 'held' => 'h'])]);
        $this->start($host->address);
        $session = $this->asked();
        $csrf = $this->csrf('/confirm.php', $session);
        // As five others have left it that are being looked at.
        (new PDO('sqlite:' . $this->folder . '/panel.db'))->exec("UPDATE users SET confirmations = 5 WHERE username = 'admin'");
        $stolen = $session;
        self::assertStringContainsString('/index.php', $this->confirm($session, $csrf, self::PASSWORD)[1], 'though it is the right one');
        self::assertFalse($this->isSignedIn($stolen));
    }
}
