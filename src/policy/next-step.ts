import type { AuthorityResult, CheckResult, PolicyResult } from './judgement.ts';

const untouched = 'If nobody is known to have changed it, treat the image as suspect.';

const aboutIndex =
  'The image is an index: it needs evidence of its own, that of its platform images does not count for it.';

const ofAnotherLog =
  'The transparency log that vouches for it is not the one that is trusted here: check the trust root, or sign it again.';

const silentLog =
  'The transparency log that the policy names gives no usable answer: try again soon, and if it lasts ask whoever keeps it.';

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
  ...['ERR_VERIFY_SET', 'ERR_VERIFY_CHECKPOINT', 'ERR_VERIFY_INCLUSION_PROOF'].map(
    (code) => [code, ofAnotherLog] as const,
  ),
  ...['ERR_LOG_UNREACHABLE', 'ERR_LOG_UNAVAILABLE', 'ERR_LOG_ANSWER'].map(
    (code) => [code, silentLog] as const,
  ),
  [
    'ERR_VERIFY_LOG_ENTRY',
    `Its entry in the transparency log is of something else: build the image again. ${untouched}`,
  ],
  [
    'ERR_VERIFY_SCT',
    'No trusted certificate log saw its certificate: check the ctLogs of the trust root, or sign it again.',
  ],
  ['ERR_VERIFY_TIMESTAMP', 'Sign it with a timestamp of the authority that the policy names.'],
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
  // Where one denies and another only warns, the denial is to be mended first.
  const step = stepFor(failed.find(({ mode }) => mode === 'enforce') ?? failed[0]);
  return isIndex ? `${step} ${aboutIndex}` : step;
}

function stepFor(policy: PolicyResult | undefined): string {
  const closest = closestAuthority(policy);
  const checks = closest?.checks.filter(({ outcome }) => outcome !== 'passed') ?? [];
  const [first] = checks;
  if (policy === undefined || policy.reasons.length > 0 || first === undefined) return stepForPolicy(policy);
  if (checks.every(({ outcome }) => outcome === 'missing')) return stepForMissing(checks);
  const invalid = checks.find(({ outcome }) => outcome === 'invalid') ?? first;
  const codes = invalid.reasons.map(({ code }) => code);
  if (closest?.kind === 'key' && codes.includes('ERR_VERIFY_SIGNATURE')) {
    return `Sign it with the key that the policy names: this was another one, or it was changed afterwards. ${untouched}`;
  }
  const known = codes.map((code) => byCode.get(code)).find((step) => step !== undefined);
  return (
    known ?? `Make the ${invalid.check} anew so that it meets the policy: build the image by the pipeline.`
  );
}

/** What lies with the policy and not with the image. */
function stepForPolicy(policy: PolicyResult | undefined): string {
  const keeper = `Ask whoever keeps the policy ${policy?.policy ?? ''}`;
  // A policy that is judged has authorities.
  return policy?.authorities.length === 0
    ? `${keeper} to mend it: until then it denies every image that it is about.`
    : `${keeper}: it is the policy's own rule that is not met.`;
}

/** The authority that lacks least is the one that its author most likely meant. */
function closestAuthority(policy: PolicyResult | undefined): AuthorityResult | undefined {
  const lackOf = ({ checks }: AuthorityResult): number =>
    checks.filter(({ outcome }) => outcome !== 'passed').length;
  return policy?.authorities.toSorted((a, b) => lackOf(a) - lackOf(b))[0];
}

function stepForMissing(checks: readonly CheckResult[]): string {
  if (checks.some(({ check }) => check === 'signature')) {
    return 'Nobody who counts has signed it: build the image by the pipeline, or wait until its run is signed.';
  }
  const names = checks.map(({ check }) => check).join(' and ');
  return `Let the pipeline attest ${names}, or wait until its run is signed.`;
}
