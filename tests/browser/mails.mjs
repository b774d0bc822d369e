// What a person finds in his mailbox: the folder that the panel writes its mails into.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A link to choose a password, or a generated password on a line of its own. */
const SECRET = /\/choose\/|^\s*(?:[a-z]{4}-)+[0-9]{2,}\s*$/m;

/** Whether there is a mail with a link or a password that none of `seen` is; notices are none. */
export const someSecret = (folder, seen) =>
  list(folder).some((name) => !seen.has(name) && SECRET.test(plain(readFileSync(join(folder, name), 'utf8'))));

/** As mailTo, the newest with a link or a password. */
export const secretTo = (folder, address, seen) => mailTo(folder, address, seen, SECRET);

/** The newest mail to an address that none of `seen` is, and that says so, waited for as long as a patient person would. */
export async function mailTo(folder, address, seen, says = /^/) {
  const until = Date.now() + 20_000;
  while (Date.now() < until) {
    for (const name of list(folder)) {
      if (seen.has(name)) continue;
      const raw = readFileSync(join(folder, name), 'utf8');
      const [head] = raw.split(/\r?\n\r?\n/, 1);
      if (!head.replace(/\r?\n[ \t]+/g, ' ').match(/^To:.*$/im)?.[0].includes(address)) continue;
      const text = plain(raw);
      if (!says.test(text)) continue;
      seen.add(name);
      return { name, head, text };
    }
    await new Promise((wake) => setTimeout(wake, 200));
  }
  throw new Error(`no mail to ${address} came`);
}

/** Names of all mails that are there. */
export const list = (folder) => {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.eml')).sort();
  } catch {
    // No mail was ever sent, so the folder was never made.
    return [];
  }
};

/** The text part, as it is read (RFC 2045, section 6). */
function plain(raw) {
  const part = raw.split(/\r?\n--[^\r\n]+/).find((part) => /^\s*content-type: *text\/plain/im.test(part));
  if (!part) throw new Error(`no text part in:\n${raw}`);
  const at = part.search(/\r?\n\r?\n/);
  const [head, body] = [part.slice(0, at), part.slice(at).trim()];
  const way = head.match(/content-transfer-encoding: *(\S+)/i)?.[1].toLowerCase() ?? '7bit';
  if (way === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (way !== 'quoted-printable') return body;
  const bytes = body.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
