// The walk through the panel, as a person takes it where everything works: every page, and all three ways to a new password.

import { every, picture, shot, sound } from './lib.mjs';
import { list, mailTo } from './mails.mjs';
import { as, at, choose, facts, field, follow, go, press, proves, says, setTwice, signIn, until } from './person.mjs';

const WORDS = {
  en: { wrong: 'The name or the password is wrong.', same: 'The two passwords differ.', short: 'at least 15 are needed', why: 'Support set this password. Choose your own to continue.', typeAgain: 'Type it again.', problem: /^Error: / },
  es: { wrong: 'El nombre o la contraseña no son correctos.', same: 'Las dos contraseñas no coinciden.', short: 'hacen falta al menos 15', why: 'Soporte puso esta contraseña. Elige la tuya para continuar.', typeAgain: 'Escríbela otra vez.', problem: /^Error: / },
};

/** Every page, in every language and colour, is sound. */
async function tour(browser, kind) {
  await as(browser, kind, async (page, name) => {
    const visit = (title, path) =>
      proves(`${title} is sound (${name})`, async () => {
        await page.goto(path);
        await sound(page, `${title} ${name}`);
      });
    await visit('sign-in', '/sign-in');
    await signIn(page, 'ana', facts.password);
    await visit('customers', '/customers');
    await visit('search', '/customers?q=marta');
    await visit('nothing found', '/customers?q=nobody-at-all');
    await page.goto('/customers?q=marta.vidal');
    const overview = await page.locator('main table a').first().getAttribute('href');
    await visit('overview', overview);
    await visit('details', `${overview}/details`);
    await visit('resellers', '/resellers');
    await visit('my account', '/account');
    await visit('outbox', '/operator/outbox');
    await visit('inbox', '/operator/inbox');
    await visit('not found', '/customers/999999');
  });
}

/** MANAGE, must change, choose, my account: right, and wrong in each place. */
async function manage(browser, kind, round) {
  const words = WORDS[kind.locale];
  const given = `granite pelican ${round} orchard`;
  const chosen = `velvet compass ${round} harbour`;
  const own = `lantern thistle ${round} meadow`;
  const before = round === 0 ? facts.password : `lantern thistle ${round - 1} meadow`;
  const marta = await browser.reader({ base: facts.base, ...kind });
  try {
    await choose(marta.page, kind);
    await proves(`a customer signs in (${marta.name})`, async () => {
      await signIn(marta.page, 'marta.vidal', before);
      await marta.page.goto('/account');
      at(marta.page, '/account');
    });
    await as(browser, kind, async (page, name) => {
      await proves(`a wrong password is answered in the same words as a wrong name (${name})`, async () => {
        await signIn(page, 'ana', 'not the right one');
        await says(page, words.wrong);
        await sound(page, `sign-in wrong ${name}`);
        await signIn(page, 'nobody-at-all', 'not the right one');
        await says(page, words.wrong);
      });
      await proves(`an administrator finds a customer and presses Manage (${name})`, async () => {
        await signIn(page, 'ana', facts.password);
        await page.goto('/customers');
        await page.locator('input[name="q"]').fill('marta.vidal');
        await page.locator('form:has(input[name="q"]) button').first().click();
        await page.waitForLoadState();
        await page.locator('main table a[href$="/details"]').first().click();
        await page.waitForURL(/details$/);
      });
      await proves(`two passwords that differ are not saved, and not drawn back (${name})`, async () => {
        await setTwice(page, given, `${given}!`);
        await says(page, words.same);
        if (!words.problem.test(await page.title())) throw new Error(`the title is ${await page.title()}`);
        if (await field(page, 'new').inputValue()) throw new Error('the password was drawn back');
        await sound(page, `details differ ${name}`);
      });
      await proves(`a password that is too short is not saved, and the reason is said (${name})`, async () => {
        await setTwice(page, 'short');
        await says(page, words.short);
        await sound(page, `details short ${name}`);
      });
      await proves(`what was typed beside a password that is wrong is kept, and saved with the right one (${name})`, async () => {
        await field(page, 'name').fill(`Marta Vidal ${round}`);
        await setTwice(page, 'short');
        if ((await field(page, 'name').inputValue()) !== `Marta Vidal ${round}`) throw new Error('the name is lost');
        await field(page, 'name').fill('');
        await setTwice(page, given);
        await says(page, words.typeAgain);
        await sound(page, `details both ${name}`);
        await field(page, 'name').fill(`Marta Vidal ${round}`);
      });
      await proves(`Save says what was done (${name})`, async () => {
        await setTwice(page, given);
        at(page, '/customers/');
        if (page.url().endsWith('/details')) throw new Error(await page.locator('main').innerText());
        await says(page, `Marta Vidal ${round}`);
        await sound(page, `overview saved ${name}`);
      });
    });
    await proves(`the customer's open session is gone (${marta.name})`, async () => {
      await marta.page.goto('/account');
      at(marta.page, '/sign-in');
    });
    await proves(`the old password no longer signs in (${marta.name})`, async () => {
      await signIn(marta.page, 'marta.vidal', before);
      await says(marta.page, words.wrong);
    });
    await proves(`the new one leads to the page to choose, without the token in its address (${marta.name})`, async () => {
      await signIn(marta.page, 'marta.vidal', given);
      await marta.page.waitForURL(/\/choose\/~/);
      await says(marta.page, words.why);
      await picture(marta.page, 'choose', { width: 640, height: 700 });
      await sound(marta.page, `choose ${marta.name}`);
    });
    await proves(`what is wrong with the choice is said on the page (${marta.name})`, async () => {
      await setTwice(marta.page, chosen, `${chosen} `);
      await says(marta.page, words.same);
      await setTwice(marta.page, 'short');
      await says(marta.page, words.short);
      await sound(marta.page, `choose short ${marta.name}`);
    });
    const link = marta.page.url();
    await proves(`who has chosen signs in anew (${marta.name})`, async () => {
      await setTwice(marta.page, chosen);
      at(marta.page, '/sign-in');
      const filled = await field(marta.page, 'name').inputValue();
      if (filled !== 'marta.vidal') throw new Error(`the name is “${filled}”`);
      await sound(marta.page, `sign-in chosen ${marta.name}`);
      await signIn(marta.page, 'marta.vidal', chosen);
      await marta.page.goto('/account');
      at(marta.page, '/account');
    });
    await proves(`the link is used up, and says so before anything is typed (${marta.name})`, async () => {
      await marta.page.goto(link);
      if (await field(marta.page, 'new').count()) throw new Error('the form is still there');
      await sound(marta.page, `choose used ${marta.name}`);
    });
    await proves(`one's own password is changed only by who knows the present one (${marta.name})`, async () => {
      await marta.page.goto('/account');
      await field(marta.page, 'current').fill('not the present one');
      await setTwice(marta.page, own);
      at(marta.page, '/account');
      await sound(marta.page, `my account wrong ${marta.name}`);
      await field(marta.page, 'current').fill(chosen);
      await setTwice(marta.page, own);
      await marta.page.goto('/account');
      at(marta.page, '/account');
    });
    await proves(`and it holds (${marta.name})`, async () => {
      await marta.context.clearCookies();
      await choose(marta.page, kind);
      await signIn(marta.page, 'marta.vidal', own);
      await marta.page.goto('/account');
      at(marta.page, '/account');
    });
  } catch (error) {
    await shot(marta.page, `failed ${marta.name}`).catch(() => {});
    throw error;
  } finally {
    await marta.close();
  }
}

const MAIL = {
  en: { asked: 'Check your email', wrong: 'The name or the password is wrong.', written: 'Written into the folder' },
  es: { asked: 'Mira tu correo', wrong: 'El nombre o la contraseña no son correctos.', written: 'Escrito en la carpeta' },
};
const ADDRESS = 'marta@estudiovidal.example';

/** Forgotten password: asked for, read in the mail, chosen, used up. Answers the password that holds then. */
async function forgotten(browser, kind, round) {
  const chosen = `saffron anchor ${round} cellar`;
  const seen = new Set(list(facts.mails));
  await as(browser, kind, async (page, name) => {
    const ask = async (typed) => {
      await page.goto('/sign-in');
      await page.locator('a[href*="/forgot"]').first().click();
      await page.waitForLoadState();
      await sound(page, `forgot ${name}`);
      await field(page, 'login-or-email').fill(typed);
      await press(page, 'login-or-email');
      await says(page, MAIL[kind.locale].asked);
      return (await page.locator('main').innerText()).replaceAll(typed, 'ADDRESS');
    };
    await proves(`who is unknown is answered like who is known (${name})`, async () => {
      const [unknown, known] = [await ask('nobody@nowhere.example'), await ask(ADDRESS)];
      if (unknown !== known) throw new Error(`“${unknown}” is not “${known}”`);
      await sound(page, `forgot asked ${name}`);
      await page.reload();
      await says(page, MAIL[kind.locale].asked);
      await picture(page, 'forgotten', { width: 640, height: 600 });
    });
    const link = await proves(`the mail holds a link (${name})`, async () => {
      const mail = await mailTo(facts.mails, ADDRESS, seen);
      const link = mail.text.match(new RegExp(`^${facts.base}/choose/\\S+$`, 'm'))?.[0];
      if (!link) throw new Error(mail.text);
      if (!/^auto-submitted: auto-generated/im.test(mail.head)) throw new Error(mail.head);
      return link;
    });
    // Marta's account is in Spanish; so are her mail and all that follows from it, whatever her browser prefers.
    const inSpanish = async () => {
      const language = await page.locator('html').getAttribute('lang');
      if (language !== 'es') throw new Error(`${page.url()} is in ${language}`);
    };
    await proves(`it leads to the page to choose, and what is chosen signs in (${name})`, async () => {
      await page.goto(link);
      await page.waitForURL(/\/choose\/~/);
      await inSpanish();
      await setTwice(page, 'short');
      await says(page, WORDS.es.short);
      await inSpanish();
      await setTwice(page, chosen);
      at(page, '/sign-in');
      await inSpanish();
      await signIn(page, 'marta.vidal', chosen);
      await page.goto('/account');
      at(page, '/account');
    });
    await proves(`it works once, and says so before anything is typed (${name})`, async () => {
      await page.goto(link);
      if (await field(page, 'new').count()) throw new Error('the form is still there');
      await sound(page, `forgot used ${name}`);
    });
    await proves(`the owner is told (${name})`, async () => {
      const mail = await mailTo(facts.mails, ADDRESS, seen);
      if (mail.text.includes(chosen) || /\/choose\//.test(mail.text)) throw new Error(mail.text);
    });
  });
  return chosen;
}

/** RESET & MAIL PASSWORD: what is asked first, what became of the mail, what the customer does with it. */
async function resetAndMail(browser, kind, round) {
  const chosen = `juniper mortar ${round} sail`;
  const seen = new Set(list(facts.mails));
  let overview;
  await as(browser, kind, async (page, name) => {
    await proves(`an administrator resets and mails (${name})`, async () => {
      await signIn(page, 'ana', facts.password);
      await page.goto('/customers?q=marta.vidal');
      overview = await page.locator('main table a').first().getAttribute('href');
      await page.goto(overview);
      await page.locator('a[href*="/plugins/keyturn-password/reset"]').first().click();
      await page.waitForLoadState();
      await says(page, ADDRESS);
      await sound(page, `reset confirm ${name}`);
      await press(page, 'mode');
      at(page, overview);
    });
    await proves(`and sees what became of the mail (${name})`, async () => {
      await until('the mail is written', async () => {
        // With script the page is kept true by itself.
        const again = page.locator('.kt-again');
        if (!kind.script && (await again.count())) await follow(page, '.kt-again');
        return (await page.locator('main').innerText()).includes(MAIL[kind.locale].written);
      });
      await sound(page, `overview mailed ${name}`);
      await page.locator('a[href^="/operator/mail?"]').first().click();
      await page.waitForLoadState();
      await says(page, '••••');
      await sound(page, `one mail ${name}`);
      await page.goto('/operator/inbox');
      await page.locator('main a[href^="/operator/inbox-mail?"]').first().click();
      await page.waitForLoadState();
      await sound(page, `inbox mail ${name}`);
    });
  });
  const password = await proves(`the mail holds a password alone on its line (${kind.locale})`, async () => {
    const mail = await mailTo(facts.mails, ADDRESS, seen);
    const password = mail.text.match(/^\s*((?:[a-z]{4}-)+[0-9]{2,})\s*$/m)?.[1];
    if (!password) throw new Error(mail.text);
    return password;
  });
  await as(browser, kind, async (page, name) => {
    await proves(`it signs in, and another one must be chosen (${name})`, async () => {
      await signIn(page, 'marta.vidal', password);
      await page.waitForURL(/\/choose\/~/);
      await setTwice(page, chosen);
      at(page, '/sign-in');
      await signIn(page, 'marta.vidal', password);
      await says(page, MAIL[kind.locale].wrong);
      await signIn(page, 'marta.vidal', chosen);
      await page.goto('/account');
      at(page, '/account');
    });
  });
}

async function walk(browser) {
  for (const kind of every({ locale: ['en', 'es'], scheme: ['light', 'dark'] })) {
    await tour(browser, { ...kind, screen: kind.scheme === 'dark' ? 'phone' : 'desktop' });
  }
  await tour(browser, { screen: 'narrow', locale: 'es', script: false });
  const kinds = [
    { locale: 'en', script: true },
    { locale: 'es', script: false, scheme: 'dark', screen: 'phone' },
  ];
  for (const [round, kind] of kinds.entries()) await manage(browser, kind, round);
  for (const [round, kind] of kinds.entries()) {
    await forgotten(browser, kind, round);
    await resetAndMail(browser, kind, round);
  }
}

await go(walk);
