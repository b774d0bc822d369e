// What a person does in the panel, for all walks: each is run by the test, which starts a panel for it and says in JSON what
// is where: `node walk.mjs '{"base": "http://127.0.0.1:…", …}'`, or in the variable KEYTURN_FACTS.
//
// One line for each sentence that was proven; the first that is not ends the walk with exit code 1.

import { withBrowser, shot } from './lib.mjs';

export const facts = JSON.parse(process.argv[2] ?? process.env.KEYTURN_FACTS ?? '{}');
if (!facts.base) {
  console.error('error: the facts lack base, the address of the panel');
  process.exit(2);
}

/** A sentence, and what proves it. What it gives is given on. */
export async function proves(sentence, proof) {
  try {
    const given = await proof();
    console.log(`ok: ${sentence}`);
    return given;
  } catch (error) {
    throw new NotProven(sentence, error);
  }
}

class NotProven extends Error {
  constructor(sentence, cause) {
    super(sentence, { cause });
  }
}

/** The language, chosen as a person would: who is signed in has one on file, which this outranks. */
export const choose = (page, kind) => page.goto(`/sign-in?lang=${kind.locale ?? 'en'}`);

/** A reader for the time of `work(page)`; if that fails, a picture of where he stood. */
export async function as(browser, kind, work) {
  const reader = await browser.reader({ base: facts.base, ...kind });
  try {
    await choose(reader.page, kind);
    return await work(reader.page, reader.name);
  } catch (error) {
    await shot(reader.page, `failed ${reader.name}`).catch(() => {});
    throw error;
  } finally {
    await reader.close();
  }
}

/** Where several share a form, the names of each begin with its own part. */
export const field = (page, name) => page.locator(`input[name="${name}"], input[name$=".${name}"]`);
/** Presses something that leads to another page, and waits for that. */
export const follow = (page, what) => Promise.all([page.waitForEvent('load'), page.locator(what).first().click()]);
export const press = async (page, name) => {
  const form = await field(page, name).first().evaluate(input => input.form.id);
  await follow(page, form ? `button[form="${form}"].kt-primary` : `form:has(input[name="${name}"]) button[type="submit"]`);
};
export const says = async (page, text) => {
  const main = await page.locator('main').innerText();
  if (!main.includes(text)) throw new Error(`${page.url()} does not say “${text}” but:\n${main}`);
};
export const at = (page, path) => {
  if (!new URL(page.url()).pathname.startsWith(path)) throw new Error(`is at ${page.url()}, not ${path}`);
};

export async function signIn(page, name, password) {
  await page.goto('/sign-in');
  await field(page, 'name').fill(name);
  await field(page, 'password').fill(password);
  await press(page, 'password');
}

export async function setTwice(page, first, second = first) {
  await field(page, 'new').fill(first);
  await field(page, 'new~again').fill(second);
  await press(page, 'new');
}

/** The address of a customer's Overview. */
export async function overviewOf(page, login) {
  await page.goto(`/customers?q=${login}`);
  return page.locator('main table a').first().getAttribute('href');
}

/** Something comes true, waited for as long as a patient person would. */
export async function until(what, holds) {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

/** Goes a walk, and tells how far it came. */
export async function go(walk) {
  try {
    await withBrowser(walk);
  } catch (error) {
    const told = error instanceof NotProven ? [`not proven: ${error.message}`, error.cause.message] : [error.stack];
    console.error(told.join('\n  '));
    process.exitCode = 1;
  }
}
