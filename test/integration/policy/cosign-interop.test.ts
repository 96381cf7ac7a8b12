import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ImageJudgement } from '../../../src/policy/judgement.ts';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import type { MakeOptions } from '../../support/evidence-maker.ts';
import { pushImage } from '../../support/images.ts';
import type { PolicyDocument } from '../../support/runbook-policy.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { checksOf, judgeByRunbook } from './policy-bench.ts';

const allPassed = ['signature passed', 'slsa-provenance passed', 'sbom-cyclonedx passed'];
const registries = { harbor: 'registry', 'the registry with referrers': 'registryReferrers' } as const;

describe('evidence that the real cosign made', () => {
  let scene: Scene;
  let maker: EvidenceMaker;
  let folder: string;
  let prefix: string;

  before(async () => {
    scene = await openScene();
    maker = new EvidenceMaker(scene.stack, scene.judges);
    folder = await mkdtemp(join(tmpdir(), 'chainwright-cosign-'));
    prefix = join(folder, 'lab');
    const made = await scene.judges.cosign(['generate-key-pair', '--output-key-prefix', prefix], {
      COSIGN_PASSWORD: 'lab',
    });
    expect(made.code, made.stderr).to.equal(0);
  });

  after(async () => {
    await rm(folder, { recursive: true });
    await scene[Symbol.asyncDispose]();
  });

  type Change = (policy: PolicyDocument) => void;
  const judge = async (
    registry: keyof typeof registries,
    options: MakeOptions,
    changes: readonly Change[],
  ): Promise<readonly (ImageJudgement & { readonly message: string })[]> => {
    const { ref } = await pushImage(scene.registry, `${scene.stack[registries[registry]]}/interop`);
    await maker.make(ref, options);
    return Promise.all(
      changes.map((change) =>
        judgeByRunbook(ref, (policy) => {
          policy.spec.images = [{ glob: '**' }];
          change(policy);
        }),
      ),
    );
  };
  const byKey = async (log: 'logged' | 'unlogged'): Promise<Change> => {
    const data = await readFile(`${prefix}.pub`, 'utf8');
    return ({ spec }) => {
      spec.authorities = spec.authorities.map(({ name, attestations }) => ({
        ...{ name, attestations, key: { data } },
        ...(log === 'logged' ? { ctlog: { url: scene.stack.rekorUrl } } : {}),
      }));
    };
  };

  for (const registry of ['harbor', 'the registry with referrers'] as const) {
    for (const layout of ['tag', 'referrer'] as const) {
      it(`with a key and a log entry, as ${layout} in ${registry}, is admitted by the key, with and without log`, async () => {
        const key = `${prefix}.key`;
        const changes = [await byKey('unlogged'), await byKey('logged')];
        for (const judgement of await judge(registry, { key, layout }, changes)) {
          expect(checksOf(judgement), judgement.message).to.deep.equal(allPassed);
        }
      });

      it(`with a key and no log entry, as ${layout} in ${registry}, is admitted unless the policy asks the log`, async () => {
        const options = { key: `${prefix}.key`, layout, log: 'none' } as const;
        const changes = [await byKey('unlogged'), await byKey('logged')];
        const [unlogged, logged] = await judge(registry, options, changes);
        expect(checksOf(unlogged!), unlogged!.message).to.deep.equal(allPassed);
        expect(logged!.outcome).to.equal('denied');
        expect(logged!.message).to.match(/log/);
      });
    }

    it(`keyless in bundles that Rekor v2 and a timestamp authority saw, in ${registry}, is admitted`, async () => {
      const options = { layout: 'referrer', log: 'rekor2' } as const;
      const [judgement] = await judge(registry, options, [() => undefined]);
      expect(checksOf(judgement!), judgement!.message).to.deep.equal(allPassed);
    });

    it(`keyless as tag, in ${registry}, is not admitted by a policy that asks for another key`, async () => {
      const [judgement] = await judge(registry, { layout: 'tag' }, [await byKey('unlogged')]);
      expect(checksOf(judgement!).filter((check) => check.endsWith(' passed'))).to.deep.equal([]);
    });
  }
});
