import { harmlessText } from '../../policy/explanation.ts';
import type { AuthorityResult, CheckReason, CheckResult, PolicyResult } from '../../policy/judgement.ts';
import type { PlacedFinding } from '../scan/scan-verdict.ts';

/** One result of a policy report, but for its time. */
export interface ReportResult {
  readonly source: 'chainwright';
  readonly policy: string;
  /** `AUTHORITY/CHECK`, or what the policy as a whole says. */
  readonly rule: string;
  readonly category: string;
  readonly severity: 'high' | 'medium' | 'low' | 'info';
  readonly result: 'pass' | 'fail' | 'warn' | 'error' | 'skip';
  readonly scored: boolean;
  readonly message: string;
  readonly properties: Readonly<Record<string, string>>;
}

const category = 'Software Supply Chain Security';
/** Stands for a policy where none is about an image: reports need a name there. */
const noPolicy = 'no-match-policy';
const maxMessage = 1000;
const maxProperty = 300;

/** The results of one image: one for each policy and check. */
export function resultsOf(finding: PlacedFinding): readonly ReportResult[] {
  const { judgement, faultKind, outcome, brief, decisions } = finding;
  if (faultKind !== undefined || judgement === undefined) {
    const [decision] = decisions;
    const result = faultKind === undefined ? unmetBy(outcome === 'warned' ? 'warn' : 'enforce') : 'error';
    const reason = decision?.reason ?? '';
    return [toResult(finding, { policy: noPolicy, rule: 'image', result, message: brief, more: { reason } })];
  }
  const { policies, reasons } = judgement;
  const unmatched = reasons.map(({ code, message }) =>
    toResult(finding, {
      ...{ policy: noPolicy, rule: 'match', result: unmetBy(outcome === 'warned' ? 'warn' : 'enforce') },
      ...{ message, more: { reason: code } },
    }),
  );
  return [...unmatched, ...policies.flatMap((policy) => resultsOfPolicy(finding, policy))];
}

/** A policy that is met tells of the authorities that vouch; else every check says what it lacks. */
function resultsOfPolicy(finding: PlacedFinding, policy: PolicyResult): readonly ReportResult[] {
  const { authorities, passed, reasons } = policy;
  const vouching = authorities.filter((authority) => authority.passed);
  const told = vouching.length > 0 ? vouching : authorities;
  const checks = told.flatMap((authority) =>
    authority.checks.map((check) => resultOfCheck(finding, policy, { authority, check })),
  );
  if (passed || reasons.length === 0) return checks;
  const ofWhole = toResult(finding, {
    ...{ policy: policy.policy, rule: 'policy', result: unmet(policy) },
    ...{ message: reasons.map(describe).join('; '), more: propertiesOfPolicy(policy, reasons[0]) },
  });
  return [ofWhole, ...checks];
}

function resultOfCheck(
  finding: PlacedFinding,
  policy: PolicyResult,
  { authority, check }: { readonly authority: AuthorityResult; readonly check: CheckResult },
): ReportResult {
  const { outcome, reasons, predicateType } = check;
  const [reason] = reasons;
  const result = outcome === 'passed' ? 'pass' : unmet(policy);
  const why = reason === undefined ? '' : `: ${describe(reason)}`;
  return toResult(finding, {
    policy: policy.policy,
    rule: `${authority.authority}/${check.check}`,
    result,
    message: `${check.check} ${outcome}${why}`,
    more: {
      ...propertiesOfPolicy(policy, reason),
      ...(predicateType === undefined ? {} : { predicateType }),
      ...evidenceOf(check),
    },
  });
}

/** What an exception lets off is not evaluated, in the words of reports. */
function unmet({ mode, exception }: PolicyResult): 'fail' | 'warn' | 'skip' {
  return exception === undefined ? unmetBy(mode) : 'skip';
}

function propertiesOfPolicy(policy: PolicyResult, reason: CheckReason | undefined): Record<string, string> {
  const { mode, evaluation, exception } = policy;
  return {
    mode,
    evaluation,
    ...(exception === undefined
      ? {}
      : {
          exception: `${exception.namespace}/${exception.name}`,
          exceptionExpires: exception.expiresAt,
          exceptionReason: exception.reason,
        }),
    ...(reason === undefined ? {} : { reason: reason.code }),
    ...(reason?.ref === undefined ? {} : { evidence: reason.ref }),
  };
}

/** Who signed the evidence that counts, and where it is logged. */
function evidenceOf({ evidence }: CheckResult): Record<string, string> {
  const [piece] = evidence;
  if (piece === undefined) return {};
  const { signer, logEntries, ref } = piece;
  const [entry] = logEntries;
  return {
    evidence: ref,
    ...('subject' in signer
      ? { identity: signer.subject, issuer: signer.issuer }
      : { key: signer.keyFingerprint }),
    ...(entry === undefined ? {} : { logIndex: String(entry.logIndex) }),
  };
}

interface Said extends Pick<ReportResult, 'policy' | 'rule' | 'result' | 'message'> {
  readonly more: Readonly<Record<string, string>>;
}

function toResult(finding: PlacedFinding, { policy, rule, result, message, more }: Said): ReportResult {
  const { image, digest, digestFrom, judgedAs, pods, judgement } = finding;
  const next = result === 'pass' ? undefined : judgement?.nextStep;
  const properties = {
    image,
    ...(digest === undefined ? {} : { digest }),
    ...{ digestFrom, judgedAs, pods: String(pods) },
    ...more,
    ...(next === undefined ? {} : { nextStep: next }),
    process: 'background scan',
  };
  return {
    ...{ source: 'chainwright', policy, rule, category, result },
    severity: severities[result],
    scored: result !== 'warn' && result !== 'skip',
    message: clip(message, maxMessage),
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [name, clip(value, maxProperty)]),
    ),
  };
}

const severities = { fail: 'high', error: 'medium', warn: 'medium', skip: 'low', pass: 'info' } as const;

function unmetBy(mode: 'enforce' | 'warn'): 'fail' | 'warn' {
  return mode === 'warn' ? 'warn' : 'fail';
}

function describe({ message, path, expected, found }: CheckReason): string {
  if (path === undefined) return message;
  const values = [
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(found === undefined ? [] : [`found ${found}`]),
  ];
  return `${path}: ${values.length === 2 ? values.join(', ') : [message, ...values].join(', ')}`;
}

function clip(text: string, most: number): string {
  const safe = harmlessText(text);
  return safe.length <= most ? safe : `${safe.slice(0, most - 1)}…`;
}
