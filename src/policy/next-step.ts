import type { CheckResult, PolicyResult } from './judgement.ts';

const untouched = 'If nobody is known to have changed it, treat the image as suspect.';

const aboutIndex =
  'The image is an index: it needs evidence of its own, that of its platform images does not count for it.';

const byCode: ReadonlyMap<string, string> = new Map([
  [
    'ERR_VERIFY_IDENTITY',
    'Somebody else signed it: build the image with the pipeline that the policy names.',
  ],
  [
    'ERR_VERIFY_SUBJECT',
    'Evidence of another image was hung beside this one: build and push this one by the pipeline.',
  ],
  [
    'ERR_VERIFY_SIGNATURE',
    `The evidence was changed after it was signed: build the image again. ${untouched}`,
  ],
  ['ERR_VERIFY_LOG_MISSING', 'Sign it with an entry in the transparency log: the pipeline does.'],
  ['ERR_VERIFY_EXPIRED', 'Nothing proves that it was signed in time: build and sign the image again.'],
  [
    'ERR_VERIFY_CHAIN',
    'It was signed with a certificate of another authority: check the trust root, or sign it again.',
  ],
  ['ERR_POLICY_STATIC', 'The policy forbids such images: use another one.'],
]);

/** What the reader of a denial can do next: one sentence or two, by the first check that keeps the image out. */
export function nextStepOf(
  failed: readonly PolicyResult[],
  { isIndex }: { readonly isIndex: boolean },
): string {
  const step = stepFor(failed);
  return isIndex ? `${step} ${aboutIndex}` : step;
}

function stepFor(failed: readonly PolicyResult[]): string {
  const [policy] = failed;
  const checks = closestAuthority(policy)?.filter(({ outcome }) => outcome !== 'passed') ?? [];
  const [first] = checks;
  if (policy === undefined || policy.reasons.length > 0 || first === undefined) {
    return `Ask whoever keeps the policy ${policy?.policy ?? ''}: it is the policy's own rule that is not met.`;
  }
  if (checks.every(({ outcome }) => outcome === 'missing')) return stepForMissing(checks);
  const invalid = checks.find(({ outcome }) => outcome === 'invalid') ?? first;
  const known = invalid.reasons.map(({ code }) => byCode.get(code)).find((step) => step !== undefined);
  return (
    known ?? `Make the ${invalid.check} anew so that it meets the policy: build the image by the pipeline.`
  );
}

/** The authority that lacks least is the one that its author most likely meant. */
function closestAuthority(policy: PolicyResult | undefined): readonly CheckResult[] | undefined {
  const countOf = (checks: readonly CheckResult[]): number =>
    checks.filter(({ outcome }) => outcome !== 'passed').length;
  return policy?.authorities.map(({ checks }) => checks).sort((a, b) => countOf(a) - countOf(b))[0];
}

function stepForMissing(checks: readonly CheckResult[]): string {
  if (checks.some(({ check }) => check === 'signature')) {
    return 'Nobody who counts has signed it: build the image by the pipeline, or wait until its run is signed.';
  }
  const names = checks.map(({ check }) => check).join(' and ');
  return `Let the pipeline attest ${names}, or wait until its run is signed.`;
}
