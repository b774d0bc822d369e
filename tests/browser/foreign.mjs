// The three ways to a new password in the pages of a panel in PHP, which Keyturn's host stands beside.

import { axe, every, noComplaints, noSidewaysScroll, picture, shot } from './lib.mjs';
import { mailTo } from './mails.mjs';
import { as, at, facts, field, follow, go, proves, says, until } from './person.mjs';

const CARMEN = 'carmen@panaderia.example';
const seen = new Set();

/** What must hold on each page, and its picture. */
async function sound(page, name) {
  await shot(page, `foreign ${name}`);
  await axe(page);
  await noSidewaysScroll(page);
  noComplaints(page);
}

/**
 * What panels and the style sheets that they take from elsewhere say of bare elements: Bootstrap 3, Pico, resets. It comes after
 * Keyturn's style sheet, and names some elements by their attributes too.
 */
const FRAMEWORK = `
  html { font-size: 62.5%; }
  body { text-align: center; text-transform: uppercase; letter-spacing: 2px; line-height: 3; }
  table { border-collapse: collapse; width: 50%; margin: 9px; }
  th, td { border: 3px solid red; padding: 1px; text-align: right; vertical-align: top; background: red; }
  code, pre { color: #c7254e; background: #f9f2f4; border-radius: 4px; padding: 2px 4px; }
  dl, ul, ol, p, pre, form, section, fieldset, article { margin: 0 0 20px 7px; padding: 5px; }
  dt, label { font-weight: 700; display: inline-block; margin-bottom: 5px; }
  nav ul:first-of-type { margin-left: -16px; }
  nav li, ul li { list-style: square; padding: 9px; }
  h1, h2, h3, strong, span, bdi, time { color: red; font-weight: 300; text-shadow: 1px 1px red; }
  a, a:link { color: pink; text-decoration: none; border-bottom: 1px solid; }
  button, input[type=submit], [type=submit] { width: 100%; margin-bottom: 16px; box-shadow: 0 0 9px red; text-transform: uppercase; }
  input:not([type=checkbox], [type=radio]), select, textarea { height: 60px; margin-bottom: 16px; border: 5px solid red; }
  input[type=checkbox], input[type=radio] { appearance: none; margin: 4px 0 0; opacity: 0.2; }
  legend { float: left; width: 100%; font-size: 21px; border-bottom: 1px solid red; }
`;

/** Regions look the same whatever the panel says of bare elements. */
async function holds(page) {
  const differing = await page.evaluate((framework) => {
    // What nobody sees lies wherever the page around it ends.
    const all = () => [...document.querySelectorAll('.kt, .kt *:not(svg, svg *, .kt-hidden)')].map((element) => {
      const style = getComputedStyle(element);
      return [element, Object.fromEntries([...style].map((name) => [name, style.getPropertyValue(name)]))];
    });
    const before = all();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(framework);
    document.adoptedStyleSheets = [sheet];
    const after = all();
    document.adoptedStyleSheets = [];
    return before.flatMap(([element, style], at) => Object.keys(style)
      .filter((name) => style[name] !== after[at][1][name])
      .map((name) => `${element.tagName}.${element.className} ${name}: ${style[name]} -> ${after[at][1][name]}`));
  }, FRAMEWORK);
  if (differing.length > 0) throw new Error(`${differing.length} at ${page.url()}:\n  ${differing.slice(0, 20).join('\n  ')}`);
}

/** A panel sets a few properties, wherever its style sheet stands, and all that hangs on them follows. */
async function follows(page) {
  const found = await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('.kt { --kt-unit: 20px; --kt-radius: 0; --kt-accent: rgb(1, 2, 3); --kt-control: 70px; }');
    document.adoptedStyleSheets = [sheet];
    const of = (what, name) => getComputedStyle(document.querySelector(what)).getPropertyValue(name);
    const found = [
      of('.kt .kt-button', 'font-size'), of('.kt .kt-card', 'border-radius'), of('.kt .kt-primary', 'background-color'),
      of('.kt .kt-show', 'color'), of('.kt .kt-button', 'min-height'),
    ];
    document.adoptedStyleSheets = [];
    return found.join(' | ');
  });
  const expected = '18.75px | 0px | rgb(1, 2, 3) | rgb(1, 2, 3) | 70px';
  if (found !== expected) throw new Error(`${found}, not ${expected}`);
}

async function signIn(page, login, password, remember = false) {
  await page.goto('/index.php');
  await page.fill('#login', login);
  await page.fill('#password', password);
  if (remember) await page.check('input[name="remember"]');
  await follow(page, 'button:text-is("Sign in")');
}

/** The way to nowhere: as somebody whose password is not that. */
async function refused(browser, kind, login, password) {
  await as(browser, kind, async (page) => {
    await signIn(page, login, password);
    await says(page, 'Wrong user name or password.');
  });
}

async function setTwice(page, first, second = first) {
  await field(page, 'new').fill(first);
  await field(page, 'new~again').fill(second);
  await follow(page, 'form:has(input[name$="new"]) button.kt-primary');
}

/** The first mail with this in its text; others, such as that something was changed, are passed over. */
async function mailed(pattern) {
  for (;;) {
    const found = (await mailTo(facts.mails, CARMEN, seen)).text.match(pattern);
    if (found) return found;
  }
}

async function forgotten(browser, kind, secret) {
  await as(browser, kind, async (page, name) => {
    await proves(`the panel's own sign-in shows Forgotten password, and a mail with a link comes (${name})`, async () => {
      await page.goto('/index.php');
      await sound(page, `sign in ${name}`);
      await picture(page, 'php-sign-in', { width: 720, height: 560 });
      await follow(page, 'a:has-text("Forgotten password")');
      at(page, '/keyturn.php');
      await sound(page, `forgotten ${name}`);
      await field(page, 'login-or-email').fill(CARMEN);
      await follow(page, 'form:has(input[name="login-or-email"]) button[type="submit"]');
      await says(page, 'Check your email');
      await sound(page, `answer ${name}`);
    });
    const [link] = await mailed(/https?:\/\/\S+\/choose\/\S+/);
    await proves(`its link chooses a password, and leads back to the panel's sign-in, which takes it (${name})`, async () => {
      await page.goto(link);
      if (new URL(page.url()).origin !== facts.links) throw new Error(`the link leads to ${page.url()}`);
      await setTwice(page, secret);
      await says(page, 'Your password has been changed');
      await sound(page, `chosen ${name}`);
      await follow(page, 'a:has-text("Continue to")');
      at(page, '/index.php');
      await signIn(page, 'carmen', secret);
      at(page, '/home.php');
      await sound(page, `home ${name}`);
    });
  });
}

async function reset(browser, kind) {
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'admin', facts.admin);
    at(page, '/customers.php');
    await sound(page, `customers ${name}`);
    await proves(`the panel's page on a customer has Reset & mail password, and shows what became of the mail (${name})`, async () => {
      await follow(page, 'a:text-is("Carmen Ruiz")');
      at(page, '/customer.php');
      await sound(page, `customer ${name}`);
      await follow(page, 'a:has-text("Reset & mail password")');
      at(page, '/keyturn.php');
      await says(page, CARMEN);
      await sound(page, `confirm ${name}`);
      await holds(page);
      await page.check('input[value="permanent"]');
      await follow(page, 'button:has-text("Send email")');
      at(page, '/customer.php');
      await until('the mail is written', async () => {
        if (!kind.script) await page.reload();
        return (await page.locator('main').innerText()).includes('Written into the folder');
      });
      await sound(page, `mailed ${name}`);
      await holds(page);
      await picture(page, 'php-customer', { width: 760, height: 820 });
    });
    const [, given] = await mailed(/^\s*([a-z0-9]+(?:-[a-z0-9]+){3,})\s*$/m);
    await proves(`the mailed password signs in at the panel's own page (${name})`, async () => {
      await as(browser, kind, async (other) => {
        await signIn(other, 'carmen', given);
        at(other, '/home.php');
      });
    });
    await proves(`the operator's outbox stands in the panel too, and is searched there (${name})`, async () => {
      await page.goto('/keyturn.php?kt-plugin=host&kt-page=outbox');
      await says(page, 'Carmen Ruiz'.split(' ')[0].toLowerCase());
      await sound(page, `outbox ${name}`);
      await holds(page);
      await page.fill('input[name="q"]', 'nobody-of-that-name');
      await follow(page, 'form[role="search"] button');
      at(page, '/keyturn.php');
      await says(page, 'nobody-of-that-name');
      await page.goto('/keyturn.php?kt-plugin=host&kt-page=outbox');
      await follow(page, 'main table a');
      await says(page, 'carmen');
      await sound(page, `one mail ${name}`);
    });
  });
}

async function manage(browser, kind, secret) {
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'admin', facts.admin, true);
    await proves(`the panel's edit page has the manage form: what is wrong is said, and what is right is done (${name})`, async () => {
      await page.goto('/edit.php?id=2');
      await sound(page, `edit ${name}`);
      await setTwice(page, secret, 'something else entirely');
      at(page, '/edit.php');
      await says(page, 'The two passwords differ.');
      await sound(page, `edit wrong ${name}`);
      await proves(`what the panel says of bare elements changes nothing there, and its properties do (${name})`, async () => {
        await holds(page);
        if (kind.script) await follows(page);
      });
      await setTwice(page, 'short');
      await says(page, 'has 5 characters');
      await setTwice(page, secret);
      at(page, '/customer.php');
      await says(page, 'Password saved');
      await sound(page, `edit done ${name}`);
    });
    await proves(`who came back with a cookie gives his own password first, and nothing is lost by that (${name})`, async () => {
      const cookies = (await page.context().cookies()).filter(({ name: cookie }) => cookie === 'remember');
      await page.context().clearCookies();
      await page.context().addCookies(cookies);
      await page.goto('/edit.php?id=2');
      await setTwice(page, `${secret} anew`);
      at(page, '/confirm.php');
      await sound(page, `step up ${name}`);
      await page.fill('#password', 'not mine at all');
      await follow(page, 'button:text-is("Continue")');
      await says(page, 'This isn\'t your password.');
      await page.fill('#password', facts.admin);
      await follow(page, 'button:text-is("Continue")');
      at(page, '/customer.php');
    });
  });
  await refused(browser, kind, 'carmen', secret);
}

async function own(browser, kind, before, after) {
  await as(browser, kind, async (page, name) => {
    await signIn(page, 'carmen', before);
    await proves(`a customer changes his own password in the panel's page, and stays signed in, though his others end (${name})`, async () => {
      await as(browser, kind, async (other) => {
        await signIn(other, 'carmen', before);
        await page.goto('/home.php');
        await field(page, 'current').fill('not this one either');
        await setTwice(page, after);
        await says(page, 'your current password');
        await field(page, 'current').fill(before);
        await setTwice(page, after);
        at(page, '/home.php');
        await says(page, 'Hello, Carmen');
        await sound(page, `own ${name}`);
        await other.goto('/home.php');
        at(other, '/index.php');
      });
    });
    await proves(`a customer sees no operator's page and no other customer (${name})`, async () => {
      for (const query of ['kt-plugin=host&kt-page=outbox', 'kt-plugin=keyturn-password&kt-page=reset&kt-for=customer%3A3']) {
        const answer = await page.goto(`/keyturn.php?${query}`);
        if (![403, 404].includes(answer.status())) throw new Error(`${query} answers ${answer.status()}`);
      }
    });
  });
}

await go(async (browser) => {
  let turn = 0;
  for (const kind of every({ script: [true, false] })) {
    turn += 1;
    const secret = (word) => `${word} lantern harbour ${turn}`;
    await forgotten(browser, kind, secret('copper'));
    await reset(browser, kind);
    await manage(browser, kind, secret('velvet'));
    await own(browser, kind, `${secret('velvet')} anew`, secret('amber'));
  }
});
