import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import type { ImageJudgement } from '../../../src/policy/judgement.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { judge, overlaid, policyObject } from './judging.ts';
import type { JudgingOptions } from './judging.ts';
import {
  attachAttestation,
  attachAttestationBundle,
  attachSignature,
  makeKey,
  pushTestImage,
} from './key-evidence.ts';
import type { TestKey } from './key-evidence.ts';

const predicateType = 'https://cyclonedx.org/bom';
const sbom = (text: string): { predicateType: string; predicate: object } => ({
  predicateType,
  predicate: { bomFormat: 'CycloneDX', text },
});

describe('judging an image by enough evidence', () => {
  let folder = '';
  let layout: ImageStore;
  let ours: TestKey;
  let theirs: TestKey;
  let listed = 0;
  let store: ImageStore;
  let count = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-judge-'));
    layout = await openLayoutStore(folder, systemClock);
    ours = await makeKey();
    theirs = await makeKey();
    store = overlaid(layout, {
      listReferrers: (...args: Parameters<ImageStore['listReferrers']>) => {
        listed += 1;
        return layout.listReferrers(...args);
      },
    });
  });
  beforeEach(() => {
    listed = 0;
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const image = () => pushTestImage(layout, `enough ${(count += 1)}`);
  const judgeBy = (
    pinned: Awaited<ReturnType<typeof image>>,
    options: JudgingOptions & { readonly policy?: object; readonly whole?: object } = {},
  ): Promise<ImageJudgement> => {
    const { policy = {}, whole = {}, ...more } = options;
    const attestations = [{ name: 'sbom', predicateType: 'cyclonedx', ...policy }];
    const object = policyObject([{ key: { data: ours.pem }, attestations }], whole);
    return judge(store, pinned, [object], { evidence: 'enough', ...more });
  };
  const checksOf = ({ policies }: ImageJudgement): readonly string[] =>
    policies.flatMap(({ authorities }) =>
      authorities.flatMap(({ checks }) =>
        checks.map(({ check, outcome, evidence }) => `${check} ${outcome} ${evidence.length}`),
      ),
    );
  const rule = { policy: { type: 'cue', data: 'rule' } };

  it('does not look at the referrers where the tags have all that is asked for', async () => {
    const pinned = await image();
    await attachSignature(layout, pinned, ours);
    await attachAttestation(layout, pinned, ours, sbom('tag'));
    await attachAttestationBundle(layout, pinned, ours, sbom('bundle'));
    expect(checksOf(await judgeBy(pinned))).to.deep.equal(['signature passed 1', 'sbom passed 1']);
    expect(listed).to.equal(0);
    const all = await judgeBy(pinned, { evidence: 'all' });
    expect(checksOf(all)).to.deep.equal(['signature passed 1', 'sbom passed 2']);
    expect(listed).to.equal(1);
  });

  it('looks at both where each layout has a part of what is asked for', async () => {
    const pinned = await image();
    await attachSignature(layout, pinned, ours);
    await attachAttestation(layout, pinned, theirs, sbom('theirs'));
    await attachAttestationBundle(layout, pinned, ours, sbom('ours'));
    expect(checksOf(await judgeBy(pinned))).to.deep.equal(['signature passed 1', 'sbom passed 1']);
    expect(listed).to.equal(1);
  });

  it('stops at the newest piece that meets the rules, and goes on past those that do not', async () => {
    const pinned = await image();
    await attachSignature(layout, pinned, ours);
    for (const text of ['good', 'better', 'bad']) await attachAttestation(layout, pinned, ours, sbom(text));
    const seen: string[] = [];
    const rules = {
      rule: (document: string) => {
        const { predicate } = JSON.parse(document) as { predicate: { text: string } };
        seen.push(predicate.text);
        return predicate.text === 'bad' ? ['it is bad'] : [];
      },
    };
    const judgement = await judgeBy(pinned, { rules, policy: rule });
    expect(checksOf(judgement)).to.deep.equal(['signature passed 1', 'sbom passed 1']);
    expect(seen).to.deep.equal(['bad', 'better']);
    expect(listed).to.equal(0);
  });

  it('evaluates every rule, also of attestations that share a name', async () => {
    const pinned = await image();
    await attachSignature(layout, pinned, ours);
    await attachAttestation(layout, pinned, ours, sbom('same'));
    const attestation = (data: string) => ({
      name: 'sbom',
      predicateType: 'cyclonedx',
      policy: { type: 'cue', data },
    });
    const object = policyObject([
      { key: { data: ours.pem }, attestations: [attestation('lax'), attestation('harsh')] },
    ]);
    const rules = { lax: () => [], harsh: () => ['no'] };
    const judgement = await judge(layout, pinned, [object], { rules });
    expect(judgement.outcome).to.equal('denied');
  });

  it('denies after it has looked at everything, evaluating each document once', async () => {
    const pinned = await image();
    await attachSignature(layout, pinned, theirs);
    await attachAttestation(layout, pinned, ours, sbom('same'));
    await attachAttestationBundle(layout, pinned, ours, sbom('same'));
    let evaluations = 0;
    const rules = {
      rule: () => {
        evaluations += 1;
        return ['no'];
      },
    };
    const judgement = await judgeBy(pinned, { rules, policy: rule });
    expect(judgement.outcome).to.equal('denied');
    expect(checksOf(judgement)).to.deep.equal(['signature invalid 0', 'sbom invalid 0']);
    expect(listed).to.equal(1);
    expect(evaluations).to.equal(1);
  });

  it('looks at everything where a policy judges the whole', async () => {
    const pinned = await image();
    await attachSignature(layout, pinned, ours);
    await attachAttestation(layout, pinned, ours, sbom('tag'));
    await attachAttestationBundle(layout, pinned, ours, sbom('bundle'));
    let document = '';
    const rules = { rule: (text: string) => ((document = text), []) };
    await judgeBy(pinned, { rules, whole: rule });
    expect(JSON.parse(document)).to.have.nested.property(
      'authorityMatches.authority-0.attestations.sbom.length',
      2,
    );
  });

  it('is not held up by a referrers listing that it does not need, and denies without one that it needs', async () => {
    const pinned = await image();
    await attachSignature(layout, pinned, ours);
    const fault = new AppError('ERR_REGISTRY_UNREACHABLE', 'away', { kind: 'passing' });
    const away = overlaid(layout, { listReferrers: () => Promise.reject(fault) });
    const asks = (attestations: object[]) => policyObject([{ key: { data: ours.pem }, attestations }]);
    const options = { evidence: 'enough' } as const;
    expect((await judge(away, pinned, [asks([])], options)).outcome).to.equal('admitted');
    const wanting = asks([{ name: 'sbom', predicateType: 'cyclonedx' }]);
    expect(await rejectionOf(judge(away, pinned, [wanting], options))).to.equal(fault);
  });
});
