import { copyFile } from 'node:fs/promises';
import { formatRepository } from '../../model/image-reference.ts';
import { parseClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import { explainBriefly } from '../../policy/explanation.ts';
import type { ImageJudgement } from '../../policy/judgement.ts';
import { resolveSettings } from '../../settings/resolution.ts';
import { referencesOf } from '../policy/file-references.ts';
import { openJudging } from '../policy/judging-session.ts';
import { readPolicyFiles } from '../policy/policy-files.ts';
import { asPodImage } from '../policy/test-images.ts';
import { demoPaths, imageTag } from './demo-scene.ts';
import type { DemoScene } from './demo-scene.ts';
import { makeSampleImage, pushSampleImage } from './sample-image.ts';

/** What the runbook's policy says of the two images. */
export interface DemoJudgements {
  /** The image that the run built and signed. */
  readonly signed: ImageJudgement;
  /** One that somebody pushed beside it. */
  readonly unsigned: ImageJudgement;
  /** The webhook's message for the latter. */
  readonly message: string;
}

const runbookPolicy = new URL('../../../config/samples/golemtrust-production-policy.yaml', import.meta.url);
const unsignedTag = 'unsigned';

/** Pushes an unsigned image beside the signed one and judges both by the runbook's policy, as it stands there. */
export async function judgeImages({ store, image, signal }: DemoScene): Promise<DemoJudgements> {
  const { repository } = image;
  const sample = await makeSampleImage('Hello from somebody else');
  await pushSampleImage(store, { repository, tag: unsignedTag }, sample, { signal });
  await copyFile(runbookPolicy, demoPaths.policy);
  const files = await readPolicyFiles([demoPaths.policy], { signal });
  await using closing = new AsyncDisposableStack();
  const judge = await openJudging({
    settings: resolveSettings({}).settings,
    environment: {},
    trustedRoot: demoPaths.trustedRoot,
    store: `oci-layout:${demoPaths.layout}`,
    policies: files.policies.map(({ value }) => parseClusterImagePolicy(value, 'tekton-chains')),
    references: referencesOf(files),
    noMatch: 'deny',
    signal,
    closing,
  });
  const name = formatRepository(repository);
  const signed = await judge(asPodImage(`${name}:${imageTag}`));
  const unsigned = await judge(asPodImage(`${name}:${unsignedTag}`));
  return { signed, unsigned, message: explainBriefly(unsigned) };
}
