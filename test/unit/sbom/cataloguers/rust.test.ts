import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { parseRustAudit, rust } from '../../../../src/sbom/cataloguers/rust.ts';
import { catalogue, layer } from '../image-fixture.ts';
import { elf } from './elf-fixture.ts';

const real = readFileSync(new URL('fixtures/cargo-auditable.dep-v0', import.meta.url));

function audit(packages: readonly object[]): Buffer {
  return elf([{ name: '.dep-v0', content: deflateSync(JSON.stringify({ packages })) }]);
}

async function componentsOf(program: Buffer) {
  const { components } = await catalogue([layer({ 'usr/bin/app': program })], [rust]);
  return new Map(components.map((component) => [component.ref, component]));
}

describe('rust cataloguer', () => {
  it('lists the crates of a real program with their edges', async () => {
    const found = await componentsOf(elf([{ name: '.dep-v0', content: real }]));
    expect([...found.keys()]).to.deep.equal([
      'pkg:cargo/audited@0.3.1',
      'pkg:cargo/bitflags@2.13.2',
      'pkg:cargo/itoa@1.0.19',
      'pkg:cargo/memchr@2.8.3',
      'pkg:cargo/serde_core@1.0.229',
      'pkg:cargo/serde_json@1.0.154',
      'pkg:cargo/zmij@1.0.23',
    ]);
    expect(found.get('pkg:cargo/audited@0.3.1')).to.deep.include({
      type: 'application',
      dependsOn: [
        'pkg:cargo/bitflags@2.13.2',
        'pkg:cargo/itoa@1.0.19',
        'pkg:cargo/memchr@2.8.3',
        'pkg:cargo/serde_json@1.0.154',
      ],
      dependencies: 'complete',
    });
  });

  it('leaves out crates that only built the program', async () => {
    const found = await componentsOf(
      audit([
        { name: 'app', version: '1.0.0', root: true, source: 'local', dependencies: [1, 2, 99] },
        { name: 'cc', version: '1.0.0', source: 'crates.io', kind: 'build' },
        { name: 'libc', version: '0.2.0', source: 'git' },
      ]),
    );
    expect([...found.keys()]).to.deep.equal(['pkg:cargo/app@1.0.0', 'pkg:cargo/libc@0.2.0']);
    expect(found.get('pkg:cargo/app@1.0.0')?.dependsOn).to.deep.equal(['pkg:cargo/libc@0.2.0']);
    expect(found.get('pkg:cargo/libc@0.2.0')?.properties).to.deep.equal({ 'cargo:source': 'git' });
  });

  it('makes a decompression bomb a gap', async () => {
    const bomb = deflateSync(Buffer.alloc(17 * 1024 * 1024, ' '));
    const { components, gaps } = await catalogue(
      [layer({ app: elf([{ name: '.dep-v0', content: bomb }]) })],
      [rust],
    );
    expect(components).to.have.length(0);
    expect(gaps.map(({ path }) => path)).to.deep.equal(['app']);
  });

  it('ends on any section, with an Error at worst', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => deflateSync(text)),
        ),
        (bytes) => {
          try {
            parseRustAudit(Buffer.from(bytes));
          } catch (error) {
            expect(error).to.be.instanceOf(Error);
          }
        },
      ),
    );
  });
});
