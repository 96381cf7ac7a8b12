import { expect } from 'chai';
import fc from 'fast-check';
import { readBlobBundle } from '../../../../src/commands/verify-blob/blob-evidence.ts';
import { codeOf } from '../../signing/codes.ts';
import { jsonFixture } from './blob-fixtures.ts';

const blob = Buffer.from('blob');
const expected = /^(?:passed|ERR_BUNDLE|ERR_BUNDLE_FIELD|ERR_COSIGN_BUNDLE|ERR_VERIFY_\w+)$/;
const bundles = ['rekor1.json', 'rekor2.json', 'statement.json', 'cosign.json', 'ed25519.json'];

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, child]) => pathsOf(child, [...path, name]))];
}

function replaced(value: unknown, [name, ...rest]: Path, by: unknown): unknown {
  if (name === undefined) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[name] = replaced(copy[name], rest, by);
  return copy;
}

describe('readBlobBundle', () => {
  it('takes or refuses any text with one of its codes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(codeOf(() => readBlobBundle(Buffer.from(text), blob))).to.match(expected);
      }),
    );
  });

  it('takes or refuses a bundle of which any part was replaced with one of its codes', () => {
    const places = bundles.flatMap((name) => {
      const json = jsonFixture(name);
      return pathsOf(json).map((path) => ({ json, path }));
    });
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 2 }), ({ json, path }, by) => {
        const bytes = Buffer.from(JSON.stringify(replaced(json, path, by)));
        expect(codeOf(() => readBlobBundle(bytes, blob))).to.match(expected);
      }),
      { numRuns: 500 },
    );
  });
});
