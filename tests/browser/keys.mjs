// API keys on the owner's page: one is made, calls a hook, gets another token, and is revoked; the next call is refused.

import { change } from './database.mjs';
import { picture, sound } from './lib.mjs';
import { as, at, facts, field, follow, go, overviewOf, press, proves, says, signIn, until } from './person.mjs';

const WORDS = {
  en: {
    none: 'No keys yet.', name: 'A name has 1 to 40', may: 'Choose at least one thing', once: 'This is shown only once.', yours: 'your password',
    works: 'Works', unused: 'Not used yet', from: 'from 127.0.0.1', old: 'The old token works until', ends: 'The next request with this key is refused.',
    last: 'Last used', revoked: 'has been revoked', state: 'Revoked', dead: 'This key no longer works.', forbidden: 'You don\'t have access to this page',
    mails: 'Read the state of an email',
  },
  es: {
    none: 'Aún no hay claves.', name: 'Un nombre tiene', may: 'Elige al menos una cosa', once: 'Solo se muestra esta vez', yours: 'contraseña',
    works: 'Funciona', unused: 'Aún no se ha usado', from: 'desde 127.0.0.1', old: 'El token anterior funciona hasta', ends: 'La próxima petición con esta clave se rechaza.',
    last: 'Último uso', revoked: 'Se ha revocado', state: 'Revocada', dead: 'Esta clave ya no funciona.', forbidden: 'No tienes acceso a esta página',
    mails: 'Leer el estado de un correo',
  },
};
const KEYS = '/operator/keys';
const STATUS = 'password/account-status';

const main = (page) => page.locator('main').innerText();
const tokenOf = async (page) => (await page.locator('main .kt-secret pre code').innerText()).trim();
const send = (page) => press(page, 'name');
const confirm = (page) => follow(page, 'main form button[type="submit"]');

/** The machine calls a hook. */
async function call(token, account) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ account });
  return (await fetch(`${facts.base}/v1/hooks/${STATUS}`, { method: 'POST', headers, body })).status;
}

async function answers(token, account, expected) {
  const status = await call(token, account);
  if (status !== expected) throw new Error(`${status}, not ${expected}`);
}

async function walk(browser, kind) {
  const words = WORDS[kind.locale];
  const key = `billing-${kind.locale}`;
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'owner', facts.password);
    const account = (await overviewOf(page, 'marta.vidal')).replace('/customers/', 'customer:');
    await proves(`the owner finds the page under Security (${name})`, async () => {
      await page.goto('/account');
      await page.goto(await page.locator(`nav a[href="${KEYS}"]`).first().getAttribute('href'));
      if (kind.locale === 'en') await says(page, words.none);
      await sound(page, `keys list ${name}`);
    });
    await proves(`what is wrong is said at its field, and what was typed stays (${name})`, async () => {
      await follow(page, `main a[href="${KEYS}?new=1"]`);
      await sound(page, `keys new ${name}`);
      await field(page, 'name').fill('Billing');
      await send(page);
      await says(page, words.may);
      await field(page, `may:${STATUS}`).check();
      await field(page, 'may:mails').check();
      await field(page, 'realm:customer').check();
      await send(page);
      await says(page, words.name);
      if ((await field(page, 'name').inputValue()) !== 'Billing') throw new Error('the name is gone');
      if (!(await field(page, 'may:mails').isChecked())) throw new Error('a tick is gone');
      await sound(page, `keys wrong ${name}`);
    });
    const first = await proves(`his own password is asked for, then the token is shown, once (${name})`, async () => {
      change('UPDATE sessions SET verified_at = verified_at - 16 * 60 * 1000');
      await field(page, 'name').fill(key);
      await send(page);
      at(page, '/step-up');
      await field(page, 'password').fill(facts.password);
      await press(page, 'password');
      await says(page, words.once);
      const token = await tokenOf(page);
      if (!/^kt_[a-z2-7]{12}_[a-z2-7]{52}$/.test(token)) throw new Error(token);
      await sound(page, `keys token ${name}`);
      for (const path of [KEYS, `${KEYS}?rotate=${key}`, `${KEYS}?revoke=${key}`]) {
        await page.goto(path);
        if ((await page.content()).includes(token)) throw new Error(`it stands on ${path}`);
      }
      return token;
    });
    await proves(`the key calls its hook, and the list says when and from where it was used (${name})`, async () => {
      await page.goto(KEYS);
      for (const said of [key, words.works, words.unused, words.mails]) await says(page, said);
      await answers(first, account, 200);
      await until(words.from, async () => {
        await page.goto(KEYS);
        return (await main(page)).includes(words.from);
      });
      await sound(page, `keys used ${name}`);
      await picture(page, 'keys', { height: 560 });
    });
    const second = await proves(`it gets another token, beside which the one before goes on (${name})`, async () => {
      await follow(page, `main a[href="${KEYS}?rotate=${key}"]`);
      await sound(page, `keys rotate ${name}`);
      await confirm(page);
      await says(page, words.old);
      const token = await tokenOf(page);
      for (const one of [first, token]) await answers(one, account, 200);
      return token;
    });
    await proves(`before it is revoked the page says what ends (${name})`, async () => {
      await page.goto(KEYS);
      await follow(page, `main a[href="${KEYS}?revoke=${key}"]`);
      for (const said of [words.ends, words.mails, words.last, words.from]) await says(page, said);
      await sound(page, `keys revoke ${name}`);
    });
    await proves(`once revoked, the next request is refused (${name})`, async () => {
      await confirm(page);
      at(page, KEYS);
      for (const said of [words.revoked, words.state]) await says(page, said);
      for (const one of [first, second]) await answers(one, account, 401);
      await sound(page, `keys revoked ${name}`);
      await page.goto(`${KEYS}?revoke=${key}`);
      await says(page, words.dead);
      await sound(page, `keys dead ${name}`);
    });
  });
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    await proves(`who does not reach everybody sees nothing of it (${name})`, async () => {
      await page.goto(KEYS);
      await says(page, words.forbidden);
      if (await page.locator(`nav a[href="${KEYS}"]`).count()) throw new Error('it is in the navigation');
    });
  });
}

await go(async (browser) => {
  await walk(browser, { locale: 'en', script: true });
  await walk(browser, { locale: 'es', script: false, scheme: 'dark', screen: 'phone' });
});
