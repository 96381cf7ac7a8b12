import { readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';

const root = new URL('../../../', import.meta.url);
const source = new URL('src/', root);

interface Row {
  readonly room: string;
  readonly code: string;
  readonly kind: string;
  readonly cause: string;
  readonly remedy: string;
}

/** Rooms by code, of every code that stands in a string of `src/`; prefixes that are only compared with are none. */
function codesInSource(): ReadonlyMap<string, ReadonlySet<string>> {
  const rooms = new Map<string, Set<string>>();
  for (const entry of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue;
    const room = `${entry.split('/')[0] ?? ''}/`;
    const text = withoutComments(readFileSync(new URL(entry, source), 'utf8'));
    for (const [, code = ''] of text.matchAll(/(?<!startsWith\()['"`](ERR_[A-Z0-9_]*[A-Z0-9])['"`]/g)) {
      rooms.set(code, (rooms.get(code) ?? new Set()).add(room));
    }
  }
  return rooms;
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}

/** The rows of docs/errors.md, each with the room that its heading names. */
function rowsInDocument(): readonly Row[] {
  const rows: Row[] = [];
  let room = '';
  for (const line of readFileSync(new URL('docs/errors.md', root), 'utf8').split('\n')) {
    if (line.startsWith('## ')) room = line.slice(3).trim();
    const [, code, kind, cause, remedy] = line.split('|').map((cell) => cell.trim());
    const name = /^`(ERR_[A-Z0-9_]+)`$/.exec(code ?? '')?.[1];
    if (name !== undefined) {
      rows.push({ room, code: name, kind: kind ?? '', cause: cause ?? '', remedy: remedy ?? '' });
    }
  }
  return rows;
}

describe('docs/errors.md', () => {
  const inSource = codesInSource();
  const rows = rowsInDocument();
  const listed = rows.map(({ code }) => code);

  it('lists every code of src/', () => {
    expect([...inSource.keys()].filter((code) => !listed.includes(code))).to.deep.equal([]);
  });

  it('lists no code that src/ does not have', () => {
    expect(listed.filter((code) => !inSource.has(code))).to.deep.equal([]);
  });

  it('lists each code once', () => {
    expect(listed.filter((code, at) => listed.indexOf(code) !== at)).to.deep.equal([]);
  });

  it('lists each code under a room that it comes from', () => {
    const misplaced = rows.filter(({ code, room }) => inSource.get(code)?.has(room) === false);
    expect(misplaced.map(({ code, room }) => `${code} under ${room}`)).to.deep.equal([]);
  });

  it('gives kind, cause and remedy of each code', () => {
    const kinds = ['passing', 'permanent', 'bug', 'notice'];
    const poor = rows.filter(
      ({ kind, cause, remedy }) => !kinds.includes(kind) || cause.length < 10 || remedy.length < 6,
    );
    expect(poor.map(({ code }) => code)).to.deep.equal([]);
  });
});
