import type { FoundComponent } from '../../cataloguer.ts';
import { isMailAddress } from '../../contact.ts';
import { asObject, asText, defined } from './json-fields.ts';

/** Who makes or distributes a component. */
export type Supplier = NonNullable<FoundComponent['supplier']>;

const maxName = 200;

/** Reads `Name <mail> (url)` or an object with `name`, `email` and `url`, as package manifests have them. */
export function parsePerson(value: unknown): Supplier | undefined {
  if (typeof value === 'string') return parsePersonText(value);
  const fields = asObject(value);
  const name = asText(fields['name']);
  if (name === undefined) return undefined;
  return defined({
    name: name.slice(0, maxName),
    email: asText(fields['email']),
    url: webAddress(asText(fields['url'])),
  });
}

function parsePersonText(text: string): Supplier | undefined {
  const entry = firstEntry(text.slice(0, 1000));
  const mail = asText(/<([^<>]*)>/.exec(entry)?.[1]);
  const url = asText(/\(([^()]*)\)/.exec(entry)?.[1]);
  const name = asText(entry.replace(/<[^<>]*>|\([^()]*\)|"/g, ' ').replace(/\s+/g, ' '));
  const shown = name ?? mail;
  if (shown === undefined) return undefined;
  const bareMail = isMailAddress(shown) ? shown : undefined;
  return defined({ name: shown.slice(0, maxName), email: mail ?? bareMail, url: webAddress(url) });
}

/** The first of several people. A comma within quotes, or before any address was given, belongs to a name: `Acme, Inc. <a@b>`. */
function firstEntry(text: string): string {
  let isQuoted = false;
  let hasAddress = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === '"') isQuoted = !isQuoted;
    else if (sign === '@') hasAddress = true;
    else if (sign === ',' && !isQuoted && hasAddress) return text.slice(0, at);
  }
  return text;
}

/** The text if it is an absolute http(s) address, as BOM fields for addresses want; undefined otherwise. */
export function webAddress(text: string | undefined): string | undefined {
  if (text === undefined || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).href;
}

/** The account that a repository on a code host belongs to: `https://github.com/lodash` for lodash's. */
export function repositoryOwner(repository: string | undefined): Supplier | undefined {
  if (repository === undefined || !URL.canParse(repository)) return undefined;
  const { host, pathname } = new URL(repository);
  const [owner] = pathname.split('/').filter((part) => part !== '');
  const isCodeHost = /^(?:github|gitlab|bitbucket|codeberg)\.(?:com|org)$/.test(host);
  return isCodeHost && owner !== undefined ? { name: owner, url: `https://${host}/${owner}` } : undefined;
}

/** A browsable address of a repository given as `git+ssh://git@host/a/b.git`, `github:a/b` or `a/b` (GitHub's). */
export function repositoryAddress(value: unknown): string | undefined {
  const text = asText(value) ?? asText(asObject(value)['url']);
  if (text === undefined || text.length > 1000) return undefined;
  const short = /^(?:github:)?([\w.-]+\/[\w.-]+)$/.exec(text);
  const address = short?.[1] === undefined ? plainAddress(text) : `https://github.com/${short[1]}`;
  return webAddress(address.replace(/\.git$/, ''));
}

function plainAddress(text: string): string {
  return text
    .replace(/^git\+/, '')
    .replace(/^(?:ssh|git):\/\/(?:[^@/]+@)?/, 'https://')
    .replace(/^git@([^:/]+):/, 'https://$1/');
}
