import { expect } from 'chai';
import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { isAppError } from '../../../src/model/errors.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../../src/policy/compiled-policy.ts';
import { openPolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import type { PolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { judgeImage } from '../../../src/policy/image-judge.ts';
import type { ImageJudgement } from '../../../src/policy/judgement.ts';
import { explainBriefly, explainFully } from '../../../src/policy/explanation.ts';
import { compileClusterPolicy } from '../../../src/policy/policy-compiler.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { isFullRun } from '../../support/full-run.ts';
import { coresOf } from '../../support/hostile/evidence-core.ts';
import { editContent, editPieces } from '../../support/hostile/evidence-edits.ts';
import type { Edit } from '../../support/hostile/evidence-edits.ts';
import { gatherEvidence } from '../../support/hostile/evidence-pieces.ts';
import type { EvidenceHoard, Piece } from '../../support/hostile/evidence-pieces.ts';
import { hangBeside, openHostileStore } from '../../support/hostile/hostile-store.ts';
import type { RegistryContent } from '../../support/hostile/hostile-store.ts';
import { patientLimits } from '../../support/patient-limits.ts';
import { runbookPolicyFile } from '../../support/runbook-policy.ts';

const cases = isFullRun ? 10_000 : 300;
// Far more than any case takes, and less than what an API server waits.
const longestMs = 8000;

const edits = fc.array(
  fc.record({
    what: fc.nat(1000),
    target: fc.nat(1000),
    at: fc.nat(1_000_000),
    from: fc.nat(1_000_000),
  }),
  { minLength: 1, maxLength: 4 },
);

describe('hostile evidence', () => {
  let hoard: EvidenceHoard;
  let engine: PolicyEngine;
  let policy: CompiledClusterPolicy;
  let slowestMs = 0;

  before(async () => {
    hoard = await gatherEvidence();
    engine = openPolicyEngine({ clock: systemClock, limits: patientLimits });
    const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
    const references = {
      findTrustRoot: () => Promise.resolve(hoard.trustRoot),
      findSecret: none,
      findConfigMapEntry: none,
      fetchRemotePolicy: none,
      findKmsKey: none,
    };
    const parsed = parseClusterImagePolicy(parse(await readFile(runbookPolicyFile, 'utf8')), 'tekton-chains');
    policy = await compileClusterPolicy(parsed, { engine, references, signal: AbortSignal.timeout(120_000) });
  });

  after(async () => {
    await engine.close();
    if (isFullRun) console.log(`      the slowest case took ${slowestMs.toFixed(0)} ms of the processor`);
  });

  const judge = async (content: RegistryContent): Promise<ImageJudgement> => {
    const pinned = {
      repository: { registry: 'harbor.golems.internal', path: 'golem-trust/app' },
      digest: hoard.digest,
    };
    const image = `harbor.golems.internal/golem-trust/app@${hoard.digest}`;
    const workload = { group: '', version: 'v1', resource: 'pods', labels: {} };
    const signal = AbortSignal.timeout(longestMs);
    const parts = { store: openHostileStore(content), clock: systemClock, noMatch: 'deny', signal } as const;
    // Of the processor, since the machine may have other work: what hangs without using it ends by the signal.
    const before = process.cpuUsage();
    const judgement = await judgeImage({ image, pinned, workload, object: {} }, [policy], parts);
    // What is told of it has to survive hostile text as well.
    expect(explainFully(judgement).length + explainBriefly(judgement).length).to.be.lessThan(100_000);
    const { user, system } = process.cpuUsage(before);
    slowestMs = Math.max(slowestMs, (user + system) / 1000);
    return judgement;
  };

  /** What is wanted of the image that no piece states any more, signed and witnessed as it was. */
  const unsupported = (pieces: readonly Piece[]): readonly string[] => {
    const cores = new Set(pieces.flatMap(coresOf));
    return ['signature', 'provenance', 'sbom'].filter(
      (kind) =>
        !hoard.genuine.some((piece) => piece.kind === kind && coresOf(piece).some((core) => cores.has(core))),
    );
  };

  const tryEvidence = async (layout: 'tag' | 'bundle' | 'both', list: readonly Edit[]): Promise<void> => {
    let pieces: readonly Piece[] = hoard.genuine.filter(
      (piece) => layout === 'both' || piece.layout === layout,
    );
    const [first, ...rest] = list;
    for (const edit of first === undefined || first.what % 4 === 0 ? rest : list) {
      pieces = editPieces(pieces, edit, hoard);
    }
    const content = hangBeside(hoard.digest, pieces);
    if (first !== undefined && first.what % 4 === 0) editContent(content, { ...first, what: first.at });
    const judgement = await judge(content).catch((error: unknown) => {
      if (isAppError(error) && error.kind === 'passing') return undefined;
      throw error;
    });
    if (judgement?.outcome === 'admitted')
      expect(unsupported(pieces), 'admitted without support').to.deep.equal([]);
  };

  for (const layout of ['tag', 'bundle', 'both'] as const) {
    it(`is admitted untouched (${layout}), so that the rest proves something`, async () => {
      const pieces = hoard.genuine.filter((piece) => layout === 'both' || piece.layout === layout);
      const judgement = await judge(hangBeside(hoard.digest, pieces));
      expect(judgement.outcome, explainBriefly(judgement)).to.equal('admitted');
      expect(unsupported(pieces)).to.deep.equal([]);
    });

    it(`is denied with any one piece (${layout}) taken away or taken from somebody else`, async () => {
      const own = hoard.genuine.filter((piece) => layout === 'both' || piece.layout === layout);
      for (const kind of ['signature', 'provenance', 'sbom'] as const) {
        const rest = own.filter((piece) => piece.kind !== kind);
        const sets = [[], ...hoard.foreign];
        for (const set of sets) {
          const pieces = [...rest, ...set.filter((piece) => piece.kind === kind)];
          expect((await judge(hangBeside(hoard.digest, pieces))).outcome).to.equal('denied');
          expect(unsupported(pieces)).to.deep.equal([kind]);
        }
      }
    });
  }

  it(`never crashes, never hangs and is never admitted without support, in ${cases} cases`, async () => {
    const layouts = fc.constantFrom('tag' as const, 'bundle' as const, 'both' as const);
    await fc.assert(fc.asyncProperty(layouts, edits, tryEvidence), { numRuns: cases });
    expect(slowestMs).to.be.lessThan(longestMs);
  }).timeout(isFullRun ? 3_600_000 : 300_000);
});
