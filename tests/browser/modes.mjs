// The kinds of reset beside the temporary password; one's own password, asked for before a grave step when it was typed long
// ago; and a password made up for an administrator who sets one by hand.

import { change } from './database.mjs';
import { picture, sound } from './lib.mjs';
import { list, mailTo } from './mails.mjs';
import { as, at, facts, field, follow, go, overviewOf, press, proves, says, setTwice, signIn, until } from './person.mjs';

const WORDS = {
  en: {
    wrong: 'The name or the password is wrong.', written: 'Written into the folder', holds: 'The current password works until the link is used.',
    linkMade: 'Link created', waits: 'Waiting for the customer to use the link', reset: 'Password reset', notYours: 'This isn\'t your password.',
    typeYours: 'Confirm with your password', saved: 'Password saved', once: 'This is shown only once.', copied: 'Copied', strong: 'Strong.',
  },
  es: {
    wrong: 'El nombre o la contraseña no son correctos.', written: 'Escrito en la carpeta',
    holds: 'La contraseña actual funciona hasta que se use el enlace', linkMade: 'Enlace creado', waits: 'A la espera de que se use el enlace',
    reset: 'Contraseña restablecida', notYours: 'Esa no es tu contraseña.', typeYours: 'Confirma con tu contraseña', saved: 'Contraseña guardada',
    once: 'Solo se muestra esta vez.', copied: 'Copiado', strong: 'Fuerte.',
  },
};
const ADDRESS = 'marta@estudiovidal.example';
const PASSWORD = /^\s*((?:[a-z]{4}-)+[0-9]{2,})\s*$/m;

const main = (page) => page.locator('main').innerText();
const confirm = 'main a[href*="/plugins/keyturn-password/reset"]';

/** Leads to the page that confirms, with this kind chosen. */
async function chosen(page, overview, mode) {
  await page.goto(overview);
  await follow(page, confirm);
  await page.locator(`input[name="mode"][value="${mode}"]`).check();
}

async function written(page, kind, words) {
  await until('the mail is written', async () => {
    if (!kind.script && (await page.locator('.kt-again').count())) await follow(page, '.kt-again');
    return (await main(page)).includes(words.written);
  });
}

/** A link: the present password works until it is used. */
async function byLink(browser, kind, round, present) {
  const words = WORDS[kind.locale];
  const next = `amber cathedral ${round} willow`;
  const seen = new Set(list(facts.mails));
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`a link is mailed, and the present password goes on (${name})`, async () => {
      await chosen(page, overview, 'link');
      await says(page, words.holds);
      await sound(page, `modes confirm ${name}`);
      await press(page, 'mode');
      at(page, overview);
      await says(page, words.linkMade);
      await written(page, kind, words);
      await says(page, words.waits);
      await sound(page, `link overview ${name}`);
    });
  });
  await as(browser, kind, async (page, name) => {
    await proves(`who has not used the link yet signs in as before (${name})`, async () => {
      await signIn(page, 'marta.vidal', present);
      await page.goto('/account');
      at(page, '/account');
    });
    await proves(`the link leads to the choice, which ends the older password (${name})`, async () => {
      const mail = await mailTo(facts.mails, ADDRESS, seen);
      await page.goto(mail.text.match(new RegExp(`^${facts.base}/choose/\\S+$`, 'm'))[0]);
      await setTwice(page, next);
      at(page, '/sign-in');
      await signIn(page, 'marta.vidal', present);
      // In the mail's language, as the page that its link led to.
      await says(page, WORDS.es.wrong);
      await signIn(page, 'marta.vidal', next);
      await page.goto('/account');
      at(page, '/account');
    });
  });
  return next;
}

/** A password that stays: it signs in, and nothing is asked. */
async function permanent(browser, kind) {
  const words = WORDS[kind.locale];
  const seen = new Set(list(facts.mails));
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`a password that stays is mailed (${name})`, async () => {
      await chosen(page, overview, 'permanent');
      await press(page, 'mode');
      at(page, overview);
      await written(page, kind, words);
      await sound(page, `permanent overview ${name}`);
      await page.goto('/operator/inbox');
      await picture(page, 'inbox', { height: 440 });
    });
  });
  return as(browser, kind, (page, name) =>
    proves(`it signs in, without another one to choose (${name})`, async () => {
      const mail = await mailTo(facts.mails, ADDRESS, seen);
      const password = mail.text.match(PASSWORD)?.[1];
      if (!password) throw new Error(mail.text);
      await signIn(page, 'marta.vidal', password);
      await page.goto('/account');
      at(page, '/account');
      return password;
    }));
}

/** Everybody has typed his password a quarter of an hour ago, and a minute more. */
const longAgo = () => change('UPDATE sessions SET verified_at = verified_at - 16 * 60 * 1000');

/** A grave step asks for one's own password, and is done once when that was right. */
async function steppedUp(browser, kind, round) {
  const words = WORDS[kind.locale];
  const seen = new Set(list(facts.mails));
  const fresh = () => list(facts.mails).filter((mail) => !seen.has(mail)).length;
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await proves(`who has not typed his own password of late is asked for it before a reset (${name})`, async () => {
      longAgo();
      await chosen(page, overview, 'temporary');
      await press(page, 'mode');
      at(page, '/step-up');
      await says(page, words.typeYours);
      await sound(page, `step-up ${name}`);
    });
    await proves(`with a wrong one nothing is done (${name})`, async () => {
      await field(page, 'password').fill('not the right one at all');
      await press(page, 'password');
      await says(page, words.notYours);
      await sound(page, `step-up wrong ${name}`);
      if (fresh()) throw new Error('a mail went out');
    });
    await proves(`with the right one it is done, without another press (${name})`, async () => {
      await field(page, 'password').fill(facts.password);
      await press(page, 'password');
      at(page, overview);
      await says(page, words.reset);
      await written(page, kind, words);
    });
    await proves(`and not once more by typing it again (${name})`, async () => {
      await page.goto(`/step-up?next=${overview}`);
      await field(page, 'password').fill(facts.password);
      await press(page, 'password');
      at(page, overview);
      if (fresh() !== 1) throw new Error(`${fresh()} mails went out`);
    });
    await proves(`for a while nothing is asked again (${name})`, async () => {
      await page.goto(`${overview}/details`);
      await setTwice(page, `marble tandem ${round} osprey`);
      at(page, overview);
      await says(page, words.saved);
    });
    await proves(`Manage asks too, and keeps what waits for the answer (${name})`, async () => {
      longAgo();
      await page.goto(`${overview}/details`);
      await setTwice(page, `timber violin ${round} estuary`);
      at(page, '/step-up');
      await field(page, 'password').fill(facts.password);
      await press(page, 'password');
      at(page, overview);
      await says(page, words.saved);
    });
    await proves(`who goes back has done nothing (${name})`, async () => {
      longAgo();
      await page.goto(`${overview}/details`);
      await setTwice(page, `never chosen ${round} at all`);
      at(page, '/step-up');
      await follow(page, 'main p > a');
      at(page, overview);
    });
  });
  await as(browser, kind, (page, name) =>
    proves(`and what was set is what signs in (${name})`, async () => {
      await signIn(page, 'marta.vidal', `never chosen ${round} at all`);
      await says(page, words.wrong);
      await signIn(page, 'marta.vidal', `timber violin ${round} estuary`);
      await page.waitForURL(/\/choose\/~/);
    }));
}

/** Made up by the panel: seen once, copied, saved. */
async function generated(browser, kind) {
  const words = WORDS[kind.locale];
  const password = await as(browser, kind, async (page, name) => {
    await signIn(page, 'ana', facts.password);
    const overview = await overviewOf(page, 'marta.vidal');
    await page.goto(`${overview}/details`);
    const button = page.locator('button[name$="kt-generate"]');
    const made = await proves(`a password is made up, and shown to who has to tell it (${name})`, async () => {
      if (!kind.script) {
        await follow(page, 'button[name$="kt-generate"]');
        await says(page, words.once);
        await sound(page, `generated ${name}`);
        return (await page.locator('.kt-secret code').innerText()).trim();
      }
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await setTwice(page, 'short');
      const wrong = page.locator('.kt-error, .kt-summary, [aria-invalid]');
      if ((await wrong.count()) !== 3) throw new Error('what is too short is not said to be');
      await button.click();
      await until('it is there', async () => (await field(page, 'new').inputValue()) !== '');
      if (await wrong.filter({ visible: true }).count()) throw new Error('what was wrong is said of what is right');
      await until('the meter says how good it is', async () => (await page.locator('.kt-strength').innerText()) !== '');
      const said = (await page.locator('.kt-strength').innerText()).trim();
      if (said !== words.strong) throw new Error(`it says ${said}`);
      const [first, second] = [await field(page, 'new').inputValue(), await field(page, 'new~again').inputValue()];
      if (first !== second) throw new Error('the two fields differ');
      if ((await field(page, 'new').getAttribute('type')) !== 'text') throw new Error('it is not shown');
      await page.locator('button[name$="kt-generate"] + button').click();
      await until('it is copied', async () => (await page.evaluate(() => navigator.clipboard.readText())) === first);
      await sound(page, `generated ${name}`);
      return first;
    });
    if (!PASSWORD.test(made)) throw new Error(made);
    await proves(`it is saved, and not shown again (${name})`, async () => {
      if (kind.script) await press(page, 'new');
      else await setTwice(page, made);
      at(page, overview);
      await says(page, words.saved);
      for (const path of [overview, `${overview}/details`]) {
        await page.goto(path);
        if ((await page.content()).includes(made)) throw new Error(`it stands on ${path}`);
      }
    });
    return made;
  });
  await as(browser, kind, (page, name) =>
    proves(`it signs in, to choose another one (${name})`, async () => {
      await signIn(page, 'marta.vidal', password);
      await page.waitForURL(/\/choose\/~/);
    }));
}

await go(async (browser) => {
  let present = facts.password;
  for (const [round, kind] of [
    { locale: 'en', script: true },
    { locale: 'es', script: false, scheme: 'dark', screen: 'phone' },
  ].entries()) {
    await byLink(browser, kind, round, present);
    present = await permanent(browser, kind);
    await steppedUp(browser, kind, round);
    await generated(browser, kind);
    // Back to one that stays, for the next round.
    present = await permanent(browser, kind);
  }
});
