<?php

declare(strict_types=1);

use Keyturn\Client\Client;
use Keyturn\Client\Deeds;
use Keyturn\Client\FileKeys;
use Keyturn\Client\Outcome;
use Keyturn\Client\Settings;
use PHPUnit\Framework\TestCase;

/** One deed, however often it is tried. */
final class DeedsTest extends TestCase
{
    private const HOOK = 'password/set-password';
    private const ARGUMENTS = ['account' => 'customer:1', 'new' => 'copper lantern oats', 'must_change' => false];

    private MemoryKeys $keys;
    private int $now = 1000000;

    protected function setUp(): void
    {
        $this->keys = new MemoryKeys();
    }

    private function deeds(FakeHost $host): Deeds
    {
        $token = 'kt_abcdefghijkl_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst';
        $client = new Client(new Settings(['address' => $host->address, 'token' => $token, 'total-seconds' => 2]));
        return new Deeds($client, $this->keys, function (): int {
            return $this->now;
        });
    }

    private function perform(FakeHost $host): Outcome
    {
        return $this->deeds($host)->perform('deed', self::HOOK, self::ARGUMENTS);
    }

    /** @return array<string, mixed> */
    private static function operation(string $state, ?string $hook = null, $answer = null): array
    {
        return FakeHost::answer(200, ['state' => $state, 'hook' => $hook, 'answer' => $answer]);
    }

    private const CHANGED = ['sessions_ended' => 2, 'session_epoch' => 'e1', 'notice' => null];

    public function testTheKeyIsKeptBeforeAnythingIsSentAndForgottenWhenItIsKnown(): void
    {
        $this->keys->fails = true;
        $host = new FakeHost([FakeHost::changed(), FakeHost::changed(), FakeHost::problem(409, 'conflict')]);
        $outcome = $this->perform($host);
        self::assertSame('not-kept', $outcome->getCode());
        self::assertSame([], $host->requests());
        $this->keys->fails = false;
        self::assertTrue($this->perform($host)->isDone());
        self::assertSame([], $this->keys->kept);
        self::assertTrue($this->perform($host)->isDone());
        self::assertTrue($this->perform($host)->isRefused());
        self::assertCount(3, array_unique($host->keys()), 'a new deed has a new key');
        self::assertSame([], $this->keys->kept);
    }

    public function testARetrySendsTheSameKeyUntilItIsKnown(): void
    {
        $steps = [['reset' => true], FakeHost::problem(503, 'busy'), FakeHost::problem(422, 'invalid'), ['reset' => true]];
        $host = new FakeHost(array_merge($steps, [FakeHost::changed(), FakeHost::epoch()]));
        $first = $this->perform($host);
        self::assertTrue($first->isIndeterminate());
        self::assertSame($this->keys->kept['deed']['key'], $first->getKey());
        self::assertTrue($this->perform($host)->isIndeterminate(), 'that a retry was not let in says nothing of the attempt before it');
        self::assertSame('invalid', $this->perform($host)->getCode());
        self::assertArrayHasKey('deed', $this->keys->kept, 'what was refused may be another password than the first');
        self::assertTrue($this->perform($host)->isIndeterminate());
        $this->now += Deeds::RETRY;
        self::assertTrue($this->perform($host)->isDone());
        self::assertCount(1, array_unique(array_filter($host->keys())));
        self::assertSame([], $this->keys->kept);
    }

    public function testARetryIsDoneOnlyIfThePasswordOfTheFirstAttemptIsStillTheOneThereIs(): void
    {
        $host = new FakeHost([['reset' => true], FakeHost::changed(), FakeHost::epoch('another'), FakeHost::changed()]);
        self::assertTrue($this->perform($host)->isIndeterminate());
        self::assertTrue($this->perform($host)->isDone());
        [$first, $second, $asked, $third] = $host->keys();
        self::assertSame([$first, ''], [$second, $asked]);
        self::assertNotSame($first, $third, 'another one was set meanwhile, so it is set anew');
        self::assertStringContainsString('GET /v1/accounts/customer%3A1/epoch ', $host->requests()[2]);
        self::assertSame([], $this->keys->kept);

        $host = new FakeHost([['reset' => true], FakeHost::changed(), FakeHost::problem(403, 'not-allowed')]);
        self::assertTrue($this->perform($host)->isIndeterminate());
        self::assertTrue($this->perform($host)->isIndeterminate(), 'where that cannot be asked, it is not known');
        self::assertArrayHasKey('deed', $this->keys->kept);
    }

    public function testOfAMailThatWentAtTheFirstAttemptNothingElseIsSaid(): void
    {
        $hook = 'password/reset-and-mail';
        $answer = ['mail' => 'm1', 'mode' => 'link', 'until' => 5, 'sessions_ended' => null];
        $mails = function (FakeHost $host) use ($hook): Outcome {
            return $this->deeds($host)->perform('mail', $hook, ['account' => 'customer:1', 'mode' => 'link']);
        };
        $host = new FakeHost([['reset' => true], self::operation('under_way'), self::operation('done', $hook, $answer),
            FakeHost::answer(200, $answer), ['reset' => true], self::operation('not_done'), FakeHost::answer(200, $answer),
            ['reset' => true], self::operation('not_done'), FakeHost::answer(200, $answer)]);
        self::assertTrue($mails($host)->isIndeterminate());
        self::assertSame('under-way', $mails($host)->getCode());
        $outcome = $mails($host);
        self::assertSame('done-before', $outcome->getCode(), 'its link may be void by now');
        self::assertStringContainsString('at the first attempt', $outcome->getSentence());
        self::assertSame([], $this->keys->kept);
        self::assertTrue($mails($host)->isDone(), 'whoever asks once more wants another one');
        self::assertNotSame($host->keys()[0], $host->keys()[3]);

        self::assertTrue($mails($host)->isIndeterminate());
        self::assertTrue($mails($host)->isDone(), 'it had not come, and is done now');
        self::assertSame($host->keys()[4], $host->keys()[6]);
        self::assertTrue($mails($host)->isIndeterminate());
        $this->now += Deeds::FINAL + 1;
        self::assertTrue($mails($host)->isDone(), 'it will not come any more');
        self::assertNotSame($host->keys()[7], $host->keys()[9]);
    }

    public function testWhatIsSettledTellsWhetherThePasswordIsStillTheOneThereIs(): void
    {
        $done = self::operation('done', self::HOOK, self::CHANGED);
        foreach ([['reset' => true], FakeHost::epoch('another'), FakeHost::epoch()] as $at => $now) {
            $host = new FakeHost([['reset' => true], $done, $now]);
            $this->perform($host);
            $outcome = $this->deeds($host)->settle('deed', 'customer:1');
            self::assertSame(['indeterminate', 'changed-since', 'done'][$at], $outcome->getCode());
            self::assertSame($at === 0, isset($this->keys->kept['deed']), 'what is known is not kept');
            $this->keys->kept = [];
        }
    }

    public function testAnotherPasswordAfterOneThatWasSetIsADeedOfItsOwn(): void
    {
        $host = new FakeHost([['reset' => true], FakeHost::problem(422, 'key-reused'), FakeHost::changed()]);
        self::assertTrue($this->perform($host)->isIndeterminate());
        self::assertTrue($this->perform($host)->isDone());
        [$first, $second, $third] = $host->keys();
        self::assertSame($first, $second);
        self::assertNotSame($second, $third);
    }

    public function testLongAfterwardsTheHostIsAskedFirst(): void
    {
        $host = new FakeHost([['reset' => true], self::operation('done', self::HOOK, self::CHANGED), FakeHost::changed(),
            ['reset' => true], self::operation('under_way'), ['reset' => true]]);
        $this->perform($host);
        $this->now += Deeds::RETRY + 1;
        self::assertTrue($this->perform($host)->isDone());
        [$first, , $third] = $host->keys();
        self::assertNotSame($first, $third, 'an answer of long ago is no answer to what is asked now');
        $this->perform($host);
        $this->now += Deeds::RETRY + 1;
        self::assertSame('under-way', $this->perform($host)->getCode(), 'nothing more is sent while it is not known');
        self::assertCount(5, $host->requests());
        self::assertTrue($this->perform($host)->isIndeterminate(), 'nor while the host cannot be asked');
        self::assertCount(6, $host->requests());
        self::assertStringContainsString('GET /v1/operations/kt-', $host->requests()[5]);
    }

    /** @dataProvider settled */
    public function testAnAttemptThatWasLeftOpenIsSettledByTheHost(array $step, int $age, string $code, bool $isKept): void
    {
        $host = new FakeHost([['reset' => true], $step]);
        $this->perform($host);
        $this->now += $age;
        $outcome = $this->deeds($host)->settle('deed');
        self::assertSame($code, $outcome === null ? null : $outcome->getCode(), print_r($outcome, true));
        self::assertSame($isKept, isset($this->keys->kept['deed']));
        if (!$isKept) {
            self::assertNull($this->deeds($host)->settle('deed'));
        }
    }

    /** @return array<string, array{array<string, mixed>, int, string, bool}> */
    public function settled(): array
    {
        return [
            'done' => [self::operation('done', self::HOOK, self::CHANGED), 5, 'done', false],
            'under way' => [self::operation('under_way'), 5, 'under-way', true],
            'not done so far' => [self::operation('not_done'), Deeds::FINAL, 'not-so-far', true],
            'not done' => [self::operation('not_done'), Deeds::FINAL + 1, 'not-done', false],
            'another hook' => [self::operation('done', 'password/make-link', self::CHANGED), 5, 'indeterminate', true],
            'another answer' => [self::operation('done', self::HOOK, ['ok' => true]), 5, 'indeterminate', true],
            'no answer' => [self::operation('done', self::HOOK), 5, 'indeterminate', true],
            'a state of its own' => [self::operation('finished'), 5, 'indeterminate', true],
            'done, of nothing' => [FakeHost::answer(200, ['state' => 'done']), 5, 'indeterminate', true],
            'a problem' => [FakeHost::problem(401, 'bad-key'), 5, 'indeterminate', true],
            'HTML' => [FakeHost::answer(200, '<html>', 'text/html'), 5, 'indeterminate', true],
            'too long ago' => [self::operation('not_done'), Deeds::KEPT + 1, 'too-long-ago', false],
        ];
    }

    public function testKeysAreKeptInFilesOfOnesOwn(): void
    {
        $folder = sys_get_temp_dir() . '/keyturn-' . bin2hex(random_bytes(8));
        $files = new FileKeys($folder);
        self::assertNull($files->find('a/../b'));
        $files->keep('a/../b', 'kt-1', self::HOOK, 5);
        $files->keep('a/../b', 'kt-2', self::HOOK, 6);
        self::assertSame(['key' => 'kt-2', 'hook' => self::HOOK, 'at' => 6], (new FileKeys($folder))->find('a/../b'));
        self::assertSame(0700, fileperms($folder) & 0777);
        $names = array_values(array_diff(scandir($folder) ?: [], ['.', '..']));
        self::assertCount(1, $names);
        file_put_contents($folder . '/' . $names[0], '{"key":');
        self::assertNull($files->find('a/../b'));
        $files->forget('a/../b');
        self::assertCount(2, scandir($folder) ?: []);
        $files->keep('deed', 'kt-3', self::HOOK, 7);
        chmod($folder, 0777);
        self::assertNull($files->find('deed'), 'others could have written it');
        try {
            $files->keep('deed', 'kt-4', self::HOOK, 8);
            self::fail('It was kept where others can write.');
        } catch (RuntimeException $cause) {
            self::assertStringContainsString('nobody else', $cause->getMessage());
        }
        chmod($folder, 0700);
        $files->forget('deed');
        rmdir($folder);
        file_put_contents($folder, 'a file');
        try {
            $files->keep('deed', 'kt-3', self::HOOK, 7);
            self::fail('It was not kept.');
        } catch (RuntimeException $cause) {
            self::assertStringContainsString('folder', $cause->getMessage());
        } finally {
            unlink($folder);
        }
    }
}
