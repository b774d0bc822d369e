// How mail goes out is set on the page Email settings, against a real mail server that wants a login: a test with a wrong password,
// one with the right one, and what was saved is what mail goes by from then on.

import { sound } from './lib.mjs';
import { list, mailTo } from './mails.mjs';
import { as, at, facts, field, follow, go, overviewOf, press, proves, says, signIn, until } from './person.mjs';

const WORDS = {
  en: {
    settings: 'Email settings', off: 'Email is not set up, so nothing is sent.', ask: 'Ask support@northwind.example to set it up.',
    saved: 'Email settings saved', refused: 'Test failed at 127.0.0.1', login: 'Check User name and Password.',
    unsaved: 'These settings are not saved yet.', accepted: 'Test email accepted by 127.0.0.1', again: 'Type it again to save it.',
    none: 'Type the password: none is stored.', needed: 'Fill in “Send it to”', stored: 'A password was stored: today',
    other: 'The stored password is for another server', file: 'Set in keyturn.toml, line', asSaved: 'These are the saved settings.',
    mailed: 'Accepted by 127.0.0.1', forbidden: 'You don\'t have access to this page', clear: 'Without encryption, email goes only',
  },
  es: {
    settings: 'Configurar el correo', off: 'El correo no está configurado', ask: 'Pide a support@northwind.example que lo configure.',
    saved: 'Ajustes del correo guardados', refused: 'La prueba falló en 127.0.0.1', login: 'Revisa Usuario y Contraseña.',
    unsaved: 'Estos ajustes aún no están guardados.', accepted: 'Correo de prueba aceptado por 127.0.0.1',
    again: 'Escríbela otra vez para guardarla.', none: 'Escribe la contraseña: no hay ninguna guardada.',
    needed: 'Rellena «Enviarlo a»', stored: 'Hay una contraseña guardada: hoy', other: 'La contraseña guardada es para otro servidor',
    file: 'Fijado en keyturn.toml, línea', asSaved: 'Estos son los ajustes guardados.', mailed: 'Aceptado por 127.0.0.1',
    forbidden: 'No tienes acceso a esta página', clear: 'Sin cifrado, el correo va solo',
  },
};
const SETTINGS = '/operator/email-settings';
const MARTA = 'marta@estudiovidal.example';

const main = (page) => page.locator('main').innerText();
const choose = (page, name, value) => page.locator(`input[name="${name}"][value="${value}"]`).check();
const save = (page) => press(page, 'transport');
const test = async (page, to) => {
  await field(page, 'to').fill(to);
  await follow(page, 'button[name="kt-also"]');
};
const value = (page, name) => field(page, name).inputValue();

async function same(page, expected) {
  for (const [name, wanted] of Object.entries(expected)) {
    const found = await value(page, name);
    if (found !== wanted) throw new Error(`${name} is “${found}”, not “${wanted}”`);
  }
}

async function walk(browser, kind) {
  const words = WORDS[kind.locale];
  const seen = new Set(list(facts.mails));
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'owner', facts.password);
    await proves(`the owner turns mail off, and the outbox leads back to where it is set up (${name})`, async () => {
      await page.goto(SETTINGS);
      await says(page, words.file);
      await sound(page, `settings ${name}`);
      await choose(page, 'transport', 'off');
      await save(page);
      await says(page, words.saved);
      await page.goto('/operator/outbox');
      await says(page, words.off);
      await sound(page, `settings off outbox ${name}`);
      await follow(page, `main a:text-is("${words.settings}")`);
      at(page, SETTINGS);
    });
    const server = { host: '127.0.0.1', port: String(facts.port), username: 'panel', from: 'accounts@northwind.example' };
    await proves(`what is wrong is said at its field, and what was typed stays (${name})`, async () => {
      await choose(page, 'transport', 'smtp');
      await choose(page, 'encryption', 'none');
      for (const [input, typed] of Object.entries({ ...server, host: 'smtp.example.com' })) await field(page, input).fill(typed);
      await test(page, '');
      for (const said of [words.clear, words.needed]) await says(page, said);
      if (!/^Error: /.test(await page.title())) throw new Error(await page.title());
      await same(page, { ...server, host: 'smtp.example.com' });
      await sound(page, `settings wrong ${name}`);
      await field(page, 'host').fill(server.host);
    });
    await proves(`a test with a wrong password says which step failed and what to change, and saves nothing (${name})`, async () => {
      await field(page, 'password').fill('not the right one');
      await test(page, 'ops@northwind.example');
      for (const said of [words.refused, words.login, words.unsaved, words.again, '535']) await says(page, said);
      await same(page, { ...server, password: '', to: 'ops@northwind.example' });
      await sound(page, `settings test refused ${name}`);
      if (list(facts.mails).some((mail) => !seen.has(mail))) throw new Error('a mail was taken');
    });
    await proves(`with the right one the mail server takes it, and still nothing is saved (${name})`, async () => {
      await field(page, 'password').fill(facts.secret);
      await test(page, 'ops@northwind.example');
      for (const said of [words.accepted, words.unsaved]) await says(page, said);
      await sound(page, `settings test accepted ${name}`);
      await mailTo(facts.mails, 'ops@northwind.example', seen);
      await page.goto('/operator/outbox');
      await says(page, words.off);
    });
    await proves(`it is saved with its password, which is not drawn back (${name})`, async () => {
      await page.goto(SETTINGS);
      await choose(page, 'transport', 'smtp');
      await choose(page, 'encryption', 'none');
      for (const [input, typed] of Object.entries(server)) await field(page, input).fill(typed);
      await save(page);
      await says(page, words.none);
      await field(page, 'password').fill(facts.secret);
      await save(page);
      for (const said of [words.saved, words.stored]) await says(page, said);
      await same(page, { ...server, password: '' });
      if ((await page.content()).includes(facts.secret)) throw new Error('the password is in the page');
      await sound(page, `settings saved ${name}`);
    });
    await proves(`the stored password goes to its own server, and to no other (${name})`, async () => {
      await test(page, 'ops@northwind.example');
      for (const said of [words.accepted, words.asSaved]) await says(page, said);
      await mailTo(facts.mails, 'ops@northwind.example', seen);
      await field(page, 'host').fill('localhost');
      await test(page, 'ops@northwind.example');
      await says(page, words.other);
      await save(page);
      await says(page, words.other);
      await sound(page, `settings other server ${name}`);
    });
  });
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    await proves(`from then on a Reset & mail goes by it, without a new start (${name})`, async () => {
      const overview = await overviewOf(page, 'marta.vidal');
      await page.goto(overview);
      await follow(page, 'a[href*="/plugins/keyturn-password/reset"]');
      await press(page, 'mode');
      const { head } = await mailTo(facts.mails, MARTA, seen);
      if (!/^From: .*<accounts@northwind\.example>/im.test(head)) throw new Error(head);
      await until(words.mailed, async () => {
        await page.goto(overview);
        return (await main(page)).includes(words.mailed);
      });
    });
    await proves(`an administrator may not see how mail is set up, and is told whom to ask (${name})`, async () => {
      await page.goto(SETTINGS);
      await says(page, words.forbidden);
      if (await page.locator(`nav a[href="${SETTINGS}"]`).count()) throw new Error('it is in his navigation');
      await sound(page, `settings forbidden ${name}`);
    });
  });
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'owner', facts.password);
    await proves(`the login is removed when that is asked for (${name})`, async () => {
      await page.goto(SETTINGS);
      await choose(page, 'transport', 'off');
      await field(page, 'forget').check();
      await save(page);
      await says(page, words.saved);
      if (await field(page, 'forget').count()) throw new Error('there is still something to remove');
      await same(page, { username: '', password: '' });
    });
  });
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    await proves(`where mail is off, who may not set it is told whom to ask (${name})`, async () => {
      await page.goto('/operator/outbox');
      for (const said of [words.off, words.ask]) await says(page, said);
      await sound(page, `settings ask ${name}`);
    });
  });
}

await go(async (browser) => {
  await walk(browser, { locale: 'en', script: true });
  await walk(browser, { locale: 'es', script: false, scheme: 'dark', screen: 'phone' });
});
