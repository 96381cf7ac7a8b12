import type { FoundComponent } from '../../cataloguer.ts';
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
  const [beforeUrl, url] = splitAt(text.slice(0, 1000), '(');
  const [name, email] = splitAt(beforeUrl, '<');
  const mail = asText(email?.split('>')[0]);
  const shown = asText(name.replaceAll('"', '')) ?? mail;
  if (shown === undefined) return undefined;
  return defined({ name: shown.slice(0, maxName), email: mail, url: webAddress(asText(url?.split(')')[0])) });
}

function splitAt(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
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
