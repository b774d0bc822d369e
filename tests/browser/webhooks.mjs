// Webhooks on the owner's page: a destination that says it is gone, and has its events after all when it is there again.

import { createServer } from 'node:http';

import { picture, sound } from './lib.mjs';
import { as, facts, follow, go, overviewOf, proves, says, setTwice, signIn, until } from './person.mjs';

const WORDS = {
  en: {
    none: 'No event was sent to a webhook yet.', gone: 'It answered 410 Gone', gaveUp: 'Gave up', held: 'On hold',
    again: 'Send again', sent: '1 delivery is sent again', enable: 'Enable', enabled: 'Enabled again', active: 'Active',
    accepted: 'Accepted', why: 'Enable it when it works again.', forbidden: 'You don\'t have access to this page',
    test: 'Send a test', refused: 'billing did not accept the test', taken: 'billing accepted the test',
  },
  es: {
    none: 'Aún no se ha enviado ningún suceso a un webhook.', gone: 'Respondió 410 Gone', gaveUp: 'Sin más intentos',
    held: 'Retenido', again: 'Enviar de nuevo', sent: 'Se envía de nuevo 1 envío', enable: 'Activar',
    enabled: 'Activado de nuevo', active: 'Activo', accepted: 'Aceptado', why: 'Actívalo cuando vuelva a funcionar.',
    forbidden: 'No tienes acceso a esta página',
    test: 'Enviar prueba', refused: 'billing no aceptó la prueba', taken: 'billing aceptó la prueba',
  },
};
const WEBHOOKS = '/operator/webhooks';
const DELIVERIES = 'main a[href^="/operator/delivery?"]';

/** What stands on the configured port: answers with its status, and keeps the ids. */
const receiver = { status: 410, ids: [] };
const server = createServer((request, response) => {
  receiver.ids.push(request.headers['webhook-id']);
  request.resume();
  response.writeHead(receiver.status).end();
});

const main = (page) => page.locator('main').innerText();
const pressed = (page, label) => follow(page, `main button:text-is("${label}")`);

async function walk(browser, kind, round) {
  const words = WORDS[kind.locale];
  receiver.status = 410;
  receiver.ids = [];
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'owner', facts.password);
    const change = async (password) => {
      await page.goto(`${await overviewOf(page, 'marta.vidal')}/details`);
      await setTwice(page, password);
    };
    if (round === 0) {
      await proves(`before anything has happened the page says so (${name})`, async () => {
        await page.goto('/account');
        await follow(page, `nav a[href="${WEBHOOKS}"]`);
        await says(page, words.none);
        await sound(page, `webhooks none ${name}`);
      });
    }
    await proves(`a destination that answers that it is gone is shown as gone, and holds what comes after (${name})`, async () => {
      await change(`granite pelican ${round} webhook`);
      await until(words.gone, async () => {
        await page.goto(WEBHOOKS);
        return (await main(page)).includes(words.gone);
      });
      await says(page, words.gaveUp);
      await change(`velvet compass ${round} webhook`);
      await page.goto(WEBHOOKS);
      await says(page, words.held);
      await sound(page, `webhooks gone ${name}`);
      await picture(page, 'webhooks', { height: 720 });
      if (receiver.ids.length !== 1) throw new Error(`${receiver.ids.length} came`);
    });
    await proves(`the page of what is held says why (${name})`, async () => {
      await follow(page, DELIVERIES);
      await says(page, words.why);
      await sound(page, `webhooks held ${name}`);
    });
    await proves(`a test says what it answers now, and changes nothing (${name})`, async () => {
      for (const [status, words_of, answer] of [[410, words.refused, '410 Gone'], [204, words.taken, '204 No Content']]) {
        receiver.status = status;
        await page.goto(WEBHOOKS);
        await pressed(page, words.test);
        await says(page, words_of);
        await says(page, answer);
        await sound(page, `webhooks test ${status} ${name}`);
      }
      await says(page, words.gone);
      if (receiver.ids.length !== 3) throw new Error(`${receiver.ids.length} came`);
      receiver.ids.splice(1);
    });
    await proves(`enabled again, it has what waited for it (${name})`, async () => {
      await page.goto(WEBHOOKS);
      await pressed(page, words.enable);
      await says(page, words.enabled);
      await says(page, words.active);
      await until('the second one', () => receiver.ids.length === 2);
    });
    await proves(`what was given up is sent again under its id, and its page has each answer (${name})`, async () => {
      await page.goto(`${WEBHOOKS}?show=failed`);
      await follow(page, DELIVERIES);
      if (!page.url().endsWith(`=${receiver.ids[0]}`)) throw new Error(page.url());
      await sound(page, `webhooks given up ${name}`);
      await pressed(page, words.again);
      await says(page, words.sent);
      await until('the first one again', () => receiver.ids.length === 3);
      if (receiver.ids[2] !== receiver.ids[0]) throw new Error(receiver.ids.join(' '));
      await until(words.accepted, async () => {
        await page.reload();
        return (await main(page)).includes(words.accepted);
      });
      for (const said of ['410 Gone', '204 No Content', '"password.changed"']) await says(page, said);
      await sound(page, `webhooks accepted ${name}`);
    });
  });
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    await proves(`who does not reach everybody sees nothing of it (${name})`, async () => {
      await page.goto(WEBHOOKS);
      await says(page, words.forbidden);
      if (await page.locator(`nav a[href="${WEBHOOKS}"]`).count()) throw new Error('it is in the navigation');
    });
  });
}

await new Promise((listening) => server.listen(facts.port, '127.0.0.1', listening));
await go(async (browser) => {
  await walk(browser, { locale: 'en', script: true }, 0);
  await walk(browser, { locale: 'es', script: false, scheme: 'dark', screen: 'phone' }, 1);
});
server.close();
server.closeAllConnections();
