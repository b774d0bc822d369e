// Where no mail can go: none is set up, an account has no address, nobody sends. Each is told to whom it concerns, with what to do.

import { spawn } from 'node:child_process';
import { dirname } from 'node:path';

import { change } from './database.mjs';
import { sound } from './lib.mjs';
import { list, mailTo } from './mails.mjs';
import { as, at, facts, field, follow, go, overviewOf, press, proves, says, signIn, until } from './person.mjs';

const WORDS = {
  en: {
    ask: 'Passwords can\'t be reset by email here. Ask support@northwind.example.', off: 'Email is not set up, so nothing can be sent.',
    settings: 'Email settings', cannot: 'This password can\'t be reset by email', byHand: 'No email is sent, because email is not set up',
    outbox: 'Email is not set up, so nothing is sent.', none: 'The account has no email address to send a password to.', add: 'Add an address',
    asked: 'Check your email', stopped: 'No email is being sent', never: 'No worker has sent email from this database yet.',
    since: 'It last ran:', written: 'Written into the folder',
  },
  es: {
    ask: 'Aquí no se puede restablecer la contraseña por correo. Escribe a support@northwind.example.',
    off: 'El correo no está configurado: no se puede enviar nada.', settings: 'Configurar el correo',
    cannot: 'Esta contraseña no se puede restablecer por correo', byHand: 'No se envía ningún correo, porque no está configurado',
    outbox: 'El correo no está configurado', none: 'La cuenta no tiene dirección de correo a la que enviar una contraseña.', add: 'Añadir una dirección',
    asked: 'Mira tu correo', stopped: 'No se está enviando ningún correo', never: 'Ningún proceso ha enviado aún correo desde esta base de datos.',
    since: 'Su última actividad:', written: 'Escrito en la carpeta',
  },
};
const COMMAND = 'keyturn-example-panel --config keyturn.toml work';
// When a worker was last there, Unix milliseconds.
const GONE = 1795525331000;

const link = (words) => `main a:text-is("${words}")`;
const reset = 'main a[href*="/plugins/keyturn-password/reset"]';
const main = (page) => page.locator('main').innerText();

/** Nothing is set up: whom to ask, and where it is set up. */
async function off(browser, kind) {
  const words = WORDS[kind.locale];
  await as(browser, kind, async (page, name) => {
    await proves(`without mail the sign-in page says whom to ask, and offers no way that leads nowhere (${name})`, async () => {
      await page.goto('/sign-in');
      await says(page, words.ask);
      if (await page.locator('a[href*="/forgot"]').count()) throw new Error('it offers to mail a link');
      await sound(page, `off sign-in ${name}`);
      await page.goto('/plugins/keyturn-password/forgot');
      await says(page, words.ask);
      if (await field(page, 'login-or-email').count()) throw new Error('it asks for a name');
      await sound(page, `off forgot ${name}`);
    });
    await signIn(page, 'owner', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`the Overview says why nothing can be mailed, and leads to where that is set (${name})`, async () => {
      await page.goto(overview);
      await says(page, words.off);
      if (await page.locator(reset).count()) throw new Error('the button is there');
      await sound(page, `off overview ${name}`);
      await follow(page, link(words.settings));
      at(page, '/operator/email-settings');
    });
    await proves(`so does the page to confirm, and nothing was changed (${name})`, async () => {
      await page.goto(`/plugins/keyturn-password/reset?for=customer%3A${overview.split('/').at(-1)}`);
      for (const said of [words.cannot, words.off]) await says(page, said);
      await sound(page, `off confirm ${name}`);
    });
    await proves(`who sets a password by hand is told that nobody else tells it (${name})`, async () => {
      await page.goto(`${overview}/details`);
      await says(page, words.byHand);
    });
    await proves(`the outbox says that nothing goes out (${name})`, async () => {
      await page.goto('/operator/outbox');
      await says(page, words.outbox);
      await sound(page, `off outbox ${name}`);
    });
  });
}

/** No address: why, and what mends it; a stranger is told nothing. */
async function withoutAddress(browser, kind) {
  const words = WORDS[kind.locale];
  await as(browser, { ...kind, base: facts.stopped }, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'epetrova');
    await proves(`without an address the reason stands in place of the button (${name})`, async () => {
      await page.goto(overview);
      await says(page, words.none);
      if (await page.locator(reset).count()) throw new Error('the button is there');
      await sound(page, `no address overview ${name}`);
    });
    await proves(`an address is added where it leads, and then the button is there (${name})`, async () => {
      await follow(page, link(words.add));
      at(page, `${overview}/details`);
      await field(page, 'email').fill(`elena.${kind.locale}@petrova.example`);
      await press(page, 'email');
      at(page, overview);
      if (!(await page.locator(reset).count())) throw new Error(await main(page));
      await page.goto(`${overview}/details`);
      await field(page, 'email').fill('');
      await press(page, 'email');
    });
  });
  await as(browser, { ...kind, base: facts.stopped }, (page, name) =>
    proves(`and who asks for a link to it on the sign-in page is answered as always (${name})`, async () => {
      await page.goto('/plugins/keyturn-password/forgot');
      await field(page, 'login-or-email').fill('epetrova');
      await press(page, 'login-or-email');
      await says(page, words.asked);
    }));
}

/** Nobody sends: since when, and the command that does; which it then does. */
async function stopped(browser, kind) {
  const words = WORDS[kind.locale];
  const seen = new Set(list(facts.mails));
  await as(browser, { ...kind, base: facts.stopped }, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`where nobody sends, the Overview says so at once, with the command that does (${name})`, async () => {
      change('UPDATE keyturnhost_hosts SET worked = NULL');
      await page.goto(overview);
      await follow(page, reset);
      await press(page, 'mode');
      at(page, overview);
      for (const said of [words.stopped, words.never, COMMAND]) await says(page, said);
      await sound(page, `stopped overview ${name}`);
    });
    await proves(`and since when, on the outbox and on the mail's own page too (${name})`, async () => {
      change(`INSERT INTO keyturnhost_hosts (id, started, beat, worked, ahead) VALUES ('gone', 0, ${GONE}, ${GONE}, 0)
        ON CONFLICT (id) DO UPDATE SET worked = excluded.worked`);
      for (const path of [overview, '/operator/outbox']) {
        await page.goto(path);
        for (const said of [words.stopped, words.since, COMMAND]) await says(page, said);
      }
      await sound(page, `stopped outbox ${name}`);
      await follow(page, 'main table a[href^="/operator/mail?"]');
      for (const said of [words.stopped, words.since, COMMAND]) await says(page, said);
      await sound(page, `stopped mail ${name}`);
    });
    await proves(`the command sends what waits, and the page says so (${name})`, async () => {
      await page.goto(overview);
      const [, ...told] = COMMAND.split(' ');
      const worker = spawn(facts.program, told, { cwd: dirname(facts.database), stdio: 'ignore' });
      try {
        await until('it is sent', async () => {
          if (!kind.script && (await page.locator('.kt-again').count())) await follow(page, '.kt-again');
          return (await main(page)).includes(words.written);
        });
        await mailTo(facts.mails, 'marta@estudiovidal.example', seen);
      } finally {
        worker.kill();
        await new Promise((ended) => worker.on('exit', ended));
      }
    });
  });
}

await go(async (browser) => {
  for (const kind of [
    { locale: 'en', script: true },
    { locale: 'es', script: false, scheme: 'dark', screen: 'phone' },
  ]) {
    await off(browser, kind);
    await withoutAddress(browser, kind);
    await stopped(browser, kind);
  }
});
