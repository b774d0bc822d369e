// What the walks share: Debian's Chromium, readers of several kinds, and the checks that hold on every page.

import { readFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

const RULES = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'];
const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

const SCREENS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
  narrow: { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

/** A browser with a fresh profile, for the time of `work(browser)`. */
export async function withBrowser(work) {
  // Debian's start script and Chromium itself write where HOME says; so nothing of one run is seen by the next.
  const home = mkdtempSync(join(tmpdir(), 'keyturn-browser-'));
  let chrome;
  try {
    chrome = await chromium.launch({
      executablePath: process.env.KEYTURN_CHROMIUM ?? '/usr/bin/chromium',
      args: FLAGS,
      env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    });
    return await work(new Browser(chrome));
  } finally {
    await chrome?.close();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Browser {
  constructor(chrome) {
    this.chrome = chrome;
  }

  /**
   * Somebody with cookies of his own, at a screen of his own. Gives `{ page, context, name, close() }`.
   *
   * script: whether scripts run. scheme: light, dark. screen: desktop (1280), phone (390), narrow (320).
   * base: what the addresses of `page.goto('/…')` begin with.
   */
  async reader({ script = true, scheme = 'light', screen = 'desktop', locale = 'en', base } = {}) {
    if (!(screen in SCREENS)) throw new Error(`there is no screen ${screen}: ${Object.keys(SCREENS).join(', ')}`);
    const context = await this.chrome.newContext({
      ...SCREENS[screen],
      javaScriptEnabled: script,
      colorScheme: scheme,
      locale,
      baseURL: base,
      reducedMotion: 'reduce',
      timezoneId: 'Europe/Madrid',
    });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const reader = {
      context,
      page,
      script,
      name: [locale, scheme, screen, ...(script ? [] : ['no-script'])].join(' '),
      complaints: [],
      close: () => context.close(),
    };
    readerOf.set(page, reader);
    page.on('pageerror', (error) => reader.complaints.push(`script failed: ${error.message}`));
    page.on('console', (message) => {
      // The status of a page is the walk's matter: a wrong password is 401 or 422. That of a style or a script is below.
      const status = message.text().startsWith('Failed to load resource: the server responded with a status');
      if (message.type() === 'error' && !status) reader.complaints.push(message.text());
    });
    page.on('response', (response) => {
      const part = ['stylesheet', 'script', 'image', 'font'].includes(response.request().resourceType());
      if (part && response.status() >= 400) reader.complaints.push(`${response.url()}: ${response.status()}`);
    });
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText ?? 'failed';
      // A page that is left stops loading what it no longer needs.
      if (why !== 'net::ERR_ABORTED') reader.complaints.push(`${request.url()}: ${why}`);
    });
    return reader;
  }
}

/** Widths of a window between a desktop's and a phone's: just above and below those at which pages are laid out otherwise. */
const BETWEEN = [1249, 1248, 1105, 1104, 977, 976, 705];

const readerOf = new WeakMap();

/** All combinations, one after another: `for (const kind of every({ scheme: ['light', 'dark'] }))`. */
export function every(choices) {
  return Object.entries(choices).reduce(
    (kinds, [name, values]) => kinds.flatMap((kind) => values.map((value) => ({ ...kind, [name]: value }))),
    [{}],
  );
}

/** axe-core finds nothing on this page. It fetches no style sheet anew: a policy may forbid that, and it reads those that are there. */
export async function axe(page) {
  const found = await beside(page, async (evaluate) => {
    await evaluate(AXE);
    return evaluate(
      `axe.run(document, { runOnly: { type: 'tag', values: ${JSON.stringify(RULES)} }, resultTypes: ['violations'], preload: false })
        .then(({ violations, passes }) => ({
          passed: passes.length,
          violations: violations.map(({ id, help, nodes }) => ({
            id, help, nodes: nodes.map(({ target, html, failureSummary }) => ({ at: target.join(' '), html, failureSummary })),
          })),
        }))`,
    );
  });
  if (found.passed === 0) throw new Error(`axe looked at nothing on ${page.url()}`);
  if (found.violations.length === 0) return;
  const lines = found.violations.flatMap(({ id, help, nodes }) => [
    `${id}: ${help}`,
    ...nodes.map(({ at, html, failureSummary }) => {
      const why = failureSummary.split('\n').slice(1).map((line) => line.trim()).join('; ');
      return `  ${at}\n    ${html.slice(0, 200)}\n    ${why}`;
    }),
  ]);
  throw new Error(`axe on ${page.url()}:\n${lines.join('\n')}`);
}

/** The page fits its window: nothing has to be pushed sideways to be read. */
export async function noSidewaysScroll(page) {
  const found = await beside(page, (evaluate) => evaluate(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const wide = [...document.body.querySelectorAll('*')]
      .filter((element) => element.getBoundingClientRect().right > clientWidth + 0.5)
      .map((element) => element.tagName.toLowerCase() + (element.id && '#' + element.id)
        + [...element.classList].map((name) => '.' + name).join(''));
    return { scrollWidth, clientWidth, wide: wide.slice(0, 5) };
  })()`));
  if (found.scrollWidth > found.clientWidth) {
    const wide = found.wide.join(', ') || 'no single element';
    throw new Error(`${page.url()} is ${found.scrollWidth} px wide in ${found.clientWidth} px: ${wide}`);
  }
}

/** What stands in an empty input can be read to its end. */
export async function placeholdersFit(page) {
  const cut = await beside(page, (evaluate) => evaluate(`(() => {
    const pen = document.createElement('canvas').getContext('2d');
    return [...document.querySelectorAll('input[placeholder]')].filter((input) => {
      const style = getComputedStyle(input);
      pen.font = style.font;
      const room = input.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      return pen.measureText(input.placeholder).width > room;
    }).map((input) => input.placeholder);
  })()`));
  if (cut.length > 0) throw new Error(`${page.url()} cuts off “${cut.join('”, “')}”`);
}

/** The browser had nothing to complain of: no failed script, no resource that a policy blocked. */
export function noComplaints(page) {
  const complaints = readerOf.get(page)?.complaints.splice(0) ?? [];
  if (complaints.length > 0) throw new Error(`on ${page.url()} the browser says:\n  ${complaints.join('\n  ')}`);
}

/** What must hold on every page, and its picture. */
export async function sound(page, name) {
  if (name) await shot(page, name);
  await axe(page);
  await noSidewaysScroll(page);
  await placeholdersFit(page);
  if (page.viewportSize().width === SCREENS.desktop.viewport.width) {
    for (const width of BETWEEN) {
      await page.setViewportSize({ ...SCREENS.desktop.viewport, width });
      await noSidewaysScroll(page);
    }
    await page.setViewportSize(SCREENS.desktop.viewport);
  }
  noComplaints(page);
}

/** A picture of the whole page into the folder KEYTURN_SHOTS, if that is set. */
export async function shot(page, name) {
  const folder = process.env.KEYTURN_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const file = name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  await page.screenshot({ path: join(folder, `${file}.png`), fullPage: true, animations: 'disabled' });
}

/**
 * A picture for the documents, of the page's upper part, into the folder KEYTURN_PICTURES, if that is set; of readers at a desktop
 * with script, in English and in light colours.
 */
export async function picture(page, name, { width = 980, height = 640 } = {}) {
  const folder = process.env.KEYTURN_PICTURES;
  if (!folder || readerOf.get(page).name !== 'en light desktop') return;
  mkdirSync(folder, { recursive: true });
  await page.setViewportSize({ width, height });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled', caret: 'hide' });
  await page.setViewportSize(SCREENS.desktop.viewport);
}

/**
 * Work in a world of its own beside the page's, spoken to over the browser's protocol: no policy of the page's stops it.
 * With scripts off no timer fires in any world, and axe waits for some. So they are on for that time: what the page
 * brought was passed over when it was read, and does not run now.
 */
async function beside(page, work) {
  const session = await page.context().newCDPSession(page);
  const scripts = async (on) => {
    if (readerOf.get(page)?.script === false) await session.send('Emulation.setScriptExecutionDisabled', { value: !on });
  };
  try {
    const { frameTree } = await session.send('Page.getFrameTree');
    const { executionContextId } = await session.send('Page.createIsolatedWorld', {
      frameId: frameTree.frame.id,
      worldName: 'keyturn-checks',
    });
    // This session must have turned them off before it can turn them on.
    await scripts(false);
    await scripts(true);
    return await work(async (expression) => {
      const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
        expression,
        contextId: executionContextId,
        awaitPromise: true,
        returnByValue: true,
      });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    });
  } finally {
    await scripts(false);
    await session.detach();
  }
}
