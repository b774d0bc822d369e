// A mail that its server refuses: watched on the Overview, told in the server's own words, mended, sent again; and what becomes
// of it when something newer takes its place. The mail server does what the recipient's name says (tests/mail/server.py).

import { writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { picture, sound } from './lib.mjs';
import { list, secretTo, someSecret } from './mails.mjs';
import { as, at, facts, field, follow, go, overviewOf, press, proves, says, setTwice, signIn, until } from './person.mjs';

const WORDS = {
  en: {
    refused: 'Refused by localhost:', failed: 'The email was not accepted', correct: 'Correct the address', retry: 'Retry',
    moved: 'The account has another address now.', question: 'A retry sends this email to', accepted: 'Accepted by localhost:',
    withdrawn: 'Withdrawn', changed: 'The password was changed', nothingLeft: 'The secret has been deleted.',
    address: 'The address has changed since this page was shown', sending: 'Being sent', delayed: 'Not accepted yet',
  },
  es: {
    refused: 'Rechazado por localhost:', failed: 'El correo no fue aceptado', correct: 'Corregir la dirección', retry: 'Reintentar',
    moved: 'La cuenta tiene ahora otra dirección.', question: 'Un reintento envía este correo a',
    accepted: 'Aceptado por localhost:', withdrawn: 'Retirado', changed: 'La contraseña cambió',
    nothingLeft: 'El secreto se ha borrado.', address: 'La dirección ha cambiado desde que se mostró esta página',
    sending: 'Entregándose', delayed: 'Aún no aceptado',
  },
};
const GOOD = 'marta@estudiovidal.example';
const BAD = 'nobody@estudiovidal.example';
const SAID = '550 5.1.1 There is nobody of that name here';

const main = (page) => page.locator('main').innerText();
/** A link of the page, by its words. */
const link = (words) => `main a:text-is("${words}")`;
const RETRY_FORM = 'main form:has(button.kt-primary) button';

async function giveAddress(page, overview, address) {
  await page.goto(`${overview}/details`);
  await field(page, 'email').fill(address);
  await press(page, 'email');
  at(page, overview);
  if (page.url().endsWith('/details')) throw new Error(await main(page));
}

async function reset(page, overview) {
  await page.goto(overview);
  await follow(page, 'a[href*="/plugins/keyturn-password/reset"]');
  await press(page, 'mode');
  at(page, overview);
}

/** Until the page says so: by itself where script runs, else by the link. */
async function becomes(page, kind, said) {
  await until(said, async () => {
    if (!kind.script && (await page.locator('.kt-again').count())) await follow(page, '.kt-again');
    return (await main(page)).includes(said);
  });
}

/** Ana's own walk; who was mailed before stays in `seen`. */
async function mended(browser, kind) {
  const words = WORDS[kind.locale];
  const seen = new Set(list(facts.mails));
  const password = await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`a refused mail is told in the server's own words, and what to do (${name})`, async () => {
      await giveAddress(page, overview, BAD);
      await reset(page, overview);
      await becomes(page, kind, words.refused);
      for (const said of [SAID, words.failed]) await says(page, said);
      if (await page.locator('.kt-again').count()) throw new Error('it offers to check what will not change');
      await sound(page, `refused overview ${name}`);
      await page.goto(overview);
      await picture(page, 'overview-refused', { height: 556, width: 977 });
    });
    await proves(`the outbox and the mail's own page tell the same (${name})`, async () => {
      await page.goto('/operator/outbox?show=failed');
      await says(page, SAID);
      await sound(page, `refused outbox ${name}`);
      await follow(page, 'main table a[href^="/operator/mail?"]');
      await says(page, SAID);
      await sound(page, `refused mail ${name}`);
    });
    await proves(`the address is corrected where the Overview leads, and then a retry comes first (${name})`, async () => {
      await page.goto(overview);
      await follow(page, link(words.correct));
      at(page, `${overview}/details`);
      await field(page, 'email').fill(GOOD);
      await press(page, 'email');
      await says(page, words.moved);
      const first = await page.locator('main .kt-section .kt-primary').innerText();
      if (first !== words.retry) throw new Error(`${first} comes first`);
      if ((await page.locator('.kt-steps').innerText()).includes(GOOD)) throw new Error('it claims an attempt to the new address');
      await sound(page, `corrected overview ${name}`);
    });
    await proves(`a retry to another address asks first, and names it (${name})`, async () => {
      await follow(page, link(words.retry));
      await says(page, `${words.question} ${GOOD}`);
      await sound(page, `retry question ${name}`);
      if (someSecret(facts.mails, seen)) throw new Error('it was sent before it was asked');
      await follow(page, RETRY_FORM);
      await becomes(page, kind, words.accepted);
      await sound(page, `retried mail ${name}`);
    });
    return proves(`the very mail goes to the corrected address (${name})`, async () => {
      const mail = await secretTo(facts.mails, GOOD, seen);
      const password = mail.text.match(/^\s*((?:[a-z]{4}-)+[0-9]{2,})\s*$/m)?.[1];
      if (!password) throw new Error(mail.text);
      await page.goto(overview);
      await says(page, words.accepted);
      await picture(page, 'overview', { height: 516 });
      return password;
    });
  });
  await as(browser, kind, (page, name) =>
    proves(`and what it holds signs in (${name})`, async () => {
      await signIn(page, 'marta.vidal', password);
      await page.waitForURL(/\/choose\/~/);
    }));
}

/** Set by hand meanwhile: the mail with the older password is not sent any more, whatever happens to the address. */
async function overtaken(browser, kind, round) {
  const words = WORDS[kind.locale];
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`a password set by hand withdraws the mail with the older one (${name})`, async () => {
      await giveAddress(page, overview, BAD);
      await reset(page, overview);
      await becomes(page, kind, words.refused);
      await page.goto(`${overview}/details`);
      await setTwice(page, `copper lantern ${round} fjord`);
      at(page, overview);
      for (const said of [words.withdrawn, words.changed]) await says(page, said);
      await sound(page, `withdrawn overview ${name}`);
    });
    await proves(`and then there is nothing to send again, to no address (${name})`, async () => {
      await giveAddress(page, overview, GOOD);
      if (await page.locator(link(words.retry)).count()) throw new Error('a retry is offered');
      await follow(page, 'main a[href^="/operator/mail?"]');
      await says(page, words.nothingLeft);
      if (await page.locator('main form').count()) throw new Error('something can still be done about it');
    });
  });
}

/** The address changes between the question and the answer. */
async function changedMeanwhile(browser, kind) {
  const words = WORDS[kind.locale];
  const seen = new Set(list(facts.mails));
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    const other = `studio.${kind.locale}@estudiovidal.example`;
    await proves(`who has agreed to one address is asked again where it has become another (${name})`, async () => {
      await page.goto(overview);
      await follow(page, 'a[href*="/plugins/keyturn-password/reset"]');
      await says(page, GOOD);
      const beside = await page.context().newPage();
      await giveAddress(beside, overview, other);
      await beside.close();
      await press(page, 'mode');
      await says(page, words.address);
      await says(page, other);
      await sound(page, `confirm again ${name}`);
      if (someSecret(facts.mails, seen)) throw new Error('something was mailed');
    });
    await proves(`and after that it goes there (${name})`, async () => {
      await press(page, 'mode');
      at(page, overview);
      await secretTo(facts.mails, other, seen);
      await becomes(page, kind, words.accepted);
      await giveAddress(page, overview, GOOD);
      await page.goto('/operator/outbox');
      await picture(page, 'outbox', { height: 480 });
    });
  });
}

/** Requests that the script makes behind its reader's back. */
function quiet(page) {
  const seen = { asked: 0, answered: 0 };
  const counts = (what) => (request) => {
    if (request.headers()['kt-quiet']) seen[what] += 1;
  };
  page.on('request', counts('asked'));
  page.on('requestfinished', counts('answered'));
  page.on('requestfailed', counts('answered'));
  return seen;
}

/** What becomes of a mail is kept true without a reload, without moving the focus, and said once. */
async function watched(browser, kind) {
  const words = WORDS[kind.locale];
  const goAhead = join(facts.mails, 'go');
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    const asked = quiet(page);
    await proves(`what becomes of a mail shows by itself, is said once, and moves nothing (${name})`, async () => {
      rmSync(goAhead, { force: true });
      await giveAddress(page, overview, 'held@estudiovidal.example');
      await reset(page, overview);
      await page.evaluate(() => {
        const section = document.querySelector('[data-kt-live]');
        const said = section.nextElementSibling;
        window.sentences = [];
        new MutationObserver(() => sentences.push([said.getAttribute('role'), said.textContent])).observe(said, { childList: true });
        document.querySelector('.kt-title + .kt-actions a').focus();
        window.focused = document.activeElement;
      });
      await until('it is being handed over', async () => (await main(page)).includes(words.sending));
      if (await page.locator('.kt-again').isVisible()) throw new Error('it offers to check what it checks itself');
      writeFileSync(goAhead, '');
      await until('it is accepted', async () => (await main(page)).includes(words.accepted));
      const { sentences, kept } = await page.evaluate(() => ({ sentences, kept: document.activeElement === focused }));
      if (!kept) throw new Error('the focus was moved');
      const told = sentences.filter(([, said]) => said.startsWith(words.accepted));
      if (told.length !== 1 || sentences.some(([role]) => role !== 'status')) throw new Error(JSON.stringify(sentences));
      if (await page.locator('.kt-again').count()) throw new Error('it offers to check what will not change');
      await sound(page, `watched ${name}`);
    });
    await proves(`what has the focus is left alone until that has gone (${name})`, async () => {
      rmSync(goAhead, { force: true });
      await reset(page, overview);
      await until('it is being handed over', async () => (await main(page)).includes(words.sending));
      const [before] = [await page.locator('[data-kt-live] h2').innerText()];
      await page.locator('[data-kt-live] a:not(.kt-again)').first().focus();
      writeFileSync(goAhead, '');
      const status = page.locator('[data-kt-live] + [role="status"]');
      await until('it is said', async () => (await status.textContent()).startsWith(words.accepted));
      if ((await page.locator('[data-kt-live] h2').innerText()) !== before) throw new Error('it was drawn anew');
      await page.locator('.kt-title + .kt-actions a').first().focus();
      await until('it is drawn', async () => (await main(page)).includes(words.accepted));
    });
    await proves(`a mail that stands is not asked for (${name})`, async () => {
      const before = asked.asked;
      await page.goto(overview);
      await says(page, words.accepted);
      await page.evaluate(() => new Promise((wake) => setTimeout(wake, 2_000)));
      if (asked.asked !== before) throw new Error(`it was asked for ${asked.asked - before} times`);
    });
  });
  await soured(browser, kind, words);
  await patient(browser, kind, words);
}

/** Green above red would contradict itself: a success that was told before its mail failed goes away by itself. */
async function soured(browser, kind, words) {
  const goAhead = join(facts.mails, 'go');
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`no success stands above a mail that has failed since (${name})`, async () => {
      rmSync(goAhead, { force: true });
      await giveAddress(page, overview, 'held-nobody@estudiovidal.example');
      await reset(page, overview);
      const told = page.locator('main .kt-success[data-kt-mail]');
      if ((await told.count()) !== 1) throw new Error('nothing says what was done');
      await until('it is being handed over', async () => (await main(page)).includes(words.sending));
      if ((await told.count()) !== 1) throw new Error('it is gone before anything has failed');
      writeFileSync(goAhead, '');
      await until('it is refused', async () => (await main(page)).includes(words.failed));
      if (await told.count()) throw new Error('a success stands above the failure');
      await sound(page, `soured ${name}`);
    });
  });
}

/** By a clock of its own: asked for ever more seldom, not at all while nobody looks, and in the end no more. */
async function patient(browser, kind, words) {
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await giveAddress(page, overview, 'quota@estudiovidal.example');
    await reset(page, overview);
    await becomes(page, { script: true }, words.delayed);
    const asked = quiet(page);
    await page.clock.install();
    await page.goto(overview);
    await page.clock.pauseAt(new Date(Date.now() + 1_000));
    const pass = async (seconds) => {
      await page.clock.runFor(seconds * 1_000);
      await until('it is answered', () => asked.asked === asked.answered);
      // What the answer sets going.
      await page.evaluate(() => Promise.resolve());
    };
    await proves(`what waits is asked for ever more seldom, and in the end no more (${name})`, async () => {
      const gaps = [];
      let since = 0;
      for (let second = 0; second < 900 && !(await page.locator('.kt-again').isVisible()); second += 1) {
        const before = asked.asked;
        await pass(1);
        since += 1;
        if (asked.asked > before) {
          gaps.push(since);
          since = 0;
        }
      }
      if (gaps.length < 6 || gaps.at(-1) < 60) throw new Error(`pauses of ${gaps.join(', ')} s`);
      if (gaps.slice(2).some((gap, at) => gap + 1 < gaps[at + 1])) throw new Error(`pauses of ${gaps.join(', ')} s`);
      const before = asked.asked;
      for (let minute = 0; minute < 20; minute += 1) await pass(60);
      if (asked.asked !== before) throw new Error('it still asks');
      await sound(page, `no more watched ${name}`);
    });
    await proves(`a page that nobody looks at asks for nothing, and at once when somebody does (${name})`, async () => {
      await page.goto(overview);
      await page.evaluate(() => Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }));
      const before = asked.asked;
      for (let minute = 0; minute < 5; minute += 1) await pass(60);
      if (asked.asked !== before) throw new Error('it asked');
      await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
        document.dispatchEvent(new Event('visibilitychange'));
      });
      await until('it asks', () => asked.asked === before + 1);
    });
  });
}

await go(async (browser) => {
  const kinds = [
    { locale: 'en', script: true },
    { locale: 'es', script: false, scheme: 'dark', screen: 'phone' },
  ];
  for (const [round, kind] of kinds.entries()) {
    await mended(browser, kind);
    await overtaken(browser, kind, round);
    await changedMeanwhile(browser, kind);
  }
  await watched(browser, kinds[0]);
});
