import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../hack/stack/process/run.ts';
import { openStack } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { checkout } from '../support/chainwright-process.ts';

describe('make image', () => {
  let stack: Stack;
  let folder: string;
  let printed: string;

  /** `hack/image/build.ts`; what it prints. */
  const build = (output: string, ...args: readonly string[]): Promise<string> =>
    run('node', ['hack/image/build.ts', '--output', output, ...args], {
      cwd: checkout,
      env: { ...process.env, ...stack.env, SOURCE_DATE_EPOCH: '1700000000' },
    });

  before(async () => {
    stack = await openStack();
    folder = await mkdtemp(join(tmpdir(), 'chainwright-image-'));
    printed = await build(join(folder, 'first'), '--push', `${stack.registry}/chainwright:e2e`);
  });

  after(async () => {
    await rm(folder, { recursive: true });
  });

  const digestOf = async (name: string): Promise<string> => {
    const index = JSON.parse(await readFile(join(folder, name, 'index.json'), 'utf8')) as {
      manifests: [{ digest: string }];
    };
    return index.manifests[0].digest;
  };

  it('makes the same bytes again', async () => {
    await build(join(folder, 'second'));
    await run('diff', ['-r', join(folder, 'first'), join(folder, 'second')]);
  });

  it('says how large it is, and keeps it small', () => {
    const [, packed] = /^in all\s+([\d.]+) MiB packed/m.exec(printed) ?? [];
    expect(Number(packed)).to.be.greaterThan(40).and.lessThan(90);
  });

  it('pushes it, and prints what kustomize needs to know', async () => {
    const digest = await digestOf('first');
    expect(printed).to.include(`newName: ${stack.registry}/chainwright`).and.to.include(`digest: ${digest}`);
    const name = `${stack.registry}/chainwright:e2e`;
    const env = { ...process.env, ...stack.env };
    expect((await run(join(stack.bin, 'crane'), ['digest', name], { env })).trim()).to.equal(digest);
    const config = JSON.parse(await run(join(stack.bin, 'crane'), ['config', name], { env })) as {
      created: string;
      config: { User: string };
    };
    expect(config.config.User).to.equal('65532:65532');
    expect(config.created).to.equal('2023-11-14T22:13:20.000Z');
  });

  it('has an SBOM that names its libraries, its Node and its packages', async () => {
    const program = join(checkout, 'bin/chainwright');
    const bom = JSON.parse(await run(program, ['sbom', `oci-layout:${join(folder, 'first')}`])) as {
      components: { name: string; purl?: string }[];
    };
    const purls = bom.components.map(({ purl = '' }) => purl);
    for (const expected of ['pkg:deb/debian/libc6@', 'pkg:deb/debian/libstdc%2B%2B6@', 'pkg:npm/undici@']) {
      expect(
        purls.some((purl) => purl.startsWith(expected)),
        expected,
      ).to.equal(true);
    }
    expect(purls).to.include(`pkg:npm/node-linux-${process.arch}@${process.versions.node}`);
    expect(purls.filter((purl) => /mocha|eslint|typescript/.test(purl))).to.deep.equal([]);
  });
});
