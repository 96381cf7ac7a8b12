import { readFile, writeFile } from 'node:fs/promises';

import { hosts } from './addresses.ts';

const begin = '# chainwright-stack begin';
const end = '# chainwright-stack end';
const hostsFile = '/etc/hosts';

/** The text of a hosts file without the stack's lines. */
export function withoutNames(text: string): string {
  const kept: string[] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    if (line === begin) inside = true;
    else if (line === end) inside = false;
    else if (!inside) kept.push(line);
  }
  return kept.join('\n');
}

/** The text of a hosts file with the stack's lines at its end. */
export function withNames(text: string): string {
  const bare = withoutNames(text);
  const lines = Object.values(hosts).map(({ ip, name }) => `${ip} ${name}`);
  return `${bare}${bare === '' || bare.endsWith('\n') ? '' : '\n'}${[begin, ...lines, end].join('\n')}\n`;
}

async function rewrite(change: (text: string) => string): Promise<void> {
  const before = await readFile(hostsFile, 'utf8');
  const after = change(before);
  // In place, not by rename: in a container the file is a mount.
  if (after !== before) await writeFile(hostsFile, after);
}

/** Makes the stack's names known to this machine. */
export async function addNames(): Promise<void> {
  await rewrite(withNames);
}

/** Takes the stack's names away again. */
export async function removeNames(): Promise<void> {
  await rewrite(withoutNames);
}
