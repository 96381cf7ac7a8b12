import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { openStack } from '../../../hack/stack/stack.ts';
import { openJudging } from '../../../src/commands/policy/judging-session.ts';
import { asPodImage } from '../../../src/commands/policy/test-images.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { explainBriefly } from '../../../src/policy/explanation.ts';
import type { ImageJudgement } from '../../../src/policy/judgement.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';

const sample = new URL('../../../config/samples/golemtrust-production-policy.yaml', import.meta.url);

/** The parts of the runbook's policy that tests change. */
export interface PolicyDocument {
  metadata: { annotations?: Record<string, string> };
  spec: {
    authorities: {
      signatureFormat?: string;
      keyless: { identities: { issuer: string; subjectRegExp: string }[] };
    }[];
  };
}

/** Judges an image by the runbook's policy, changed by `change`, against the running stack. */
export async function judgeByRunbook(
  image: string,
  change: (policy: PolicyDocument) => void = () => undefined,
): Promise<ImageJudgement & { readonly message: string }> {
  const policy = parse(await readFile(sample, 'utf8')) as PolicyDocument;
  change(policy);
  const stack = await openStack();
  await using closing = new AsyncDisposableStack();
  const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
  const judge = await openJudging({
    settings: resolveSettings({}).settings,
    environment: { SSL_CERT_FILE: stack.ca, DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] },
    trustedRoot: stack.trustedRoot,
    policies: [parseClusterImagePolicy(policy, 'tekton-chains')],
    references: { findNamedTrustRoot: () => undefined, findSecret: none, findConfigMapEntry: none },
    noMatch: 'deny',
    signal: AbortSignal.timeout(30_000),
    closing,
  });
  const judgement = await judge(asPodImage(image));
  return { ...judgement, message: explainBriefly(judgement) };
}

/** Each check of a judgement as `NAME OUTCOME`. */
export function checksOf({ policies }: ImageJudgement): readonly string[] {
  return policies.flatMap(({ authorities }) =>
    authorities.flatMap(({ checks }) => checks.map(({ check, outcome }) => `${check} ${outcome}`)),
  );
}
