import { openStack } from '../../../hack/stack/stack.ts';
import { openJudging } from '../../../src/commands/policy/judging-session.ts';
import { asPodImage } from '../../../src/commands/policy/test-images.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { explainBriefly } from '../../../src/policy/explanation.ts';
import type { ImageJudgement } from '../../../src/policy/judgement.ts';
import type { TrustRootObject } from '../../../src/policy/trust-root-object.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import { patientLimits } from '../../support/patient-limits.ts';
import { readRunbookPolicy } from '../../support/runbook-policy.ts';
import type { PolicyDocument } from '../../support/runbook-policy.ts';

/** Judges an image by the runbook's policy, changed by `change`, against the running stack; `trustRoot` is the one it names. */
export async function judgeByRunbook(
  image: string,
  change: (policy: PolicyDocument) => void = () => undefined,
  trustRoot?: TrustRootObject,
): Promise<ImageJudgement & { readonly message: string }> {
  const policy = await readRunbookPolicy();
  change(policy);
  const stack = await openStack();
  await using closing = new AsyncDisposableStack();
  const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
  const judge = await openJudging({
    settings: resolveSettings({}).settings,
    environment: { SSL_CERT_FILE: stack.ca, DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] },
    trustedRoot: stack.trustedRoot,
    policies: [parseClusterImagePolicy(policy, 'tekton-chains')],
    references: {
      findNamedTrustRoot: () => trustRoot,
      findSecret: none,
      findConfigMapEntry: none,
    },
    noMatch: 'deny',
    limits: patientLimits,
    signal: AbortSignal.timeout(120_000),
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
