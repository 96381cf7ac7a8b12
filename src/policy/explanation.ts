import type {
  AcceptedEvidence,
  CheckReason,
  CheckResult,
  ImageJudgement,
  PolicyResult,
} from './judgement.ts';

/** Where in an object an image stands, e.g. `spec.containers[0].image`. */
export interface ImagePlace {
  readonly path: string;
}

const maxText = 400;

/**
 * The judgement in one paragraph, for `kubectl`: image, policy, authority, each check, and the next step. It begins as
 * policy-controller's denials do; empty for an image that was admitted. Text from evidence is made harmless.
 */
export function explainBriefly(judgement: ImageJudgement, place?: ImagePlace): string {
  const { image, policies, reasons, nextStep } = judgement;
  const at = place === undefined ? '' : `: ${place.path}`;
  const failed = policies.filter(({ passed }) => !passed);
  const parts = [
    ...reasons.map(({ message }) => `${message}${at}: ${image}`),
    ...failed.map((policy) => {
      return `${excusedBy(policy)}failed policy: ${policy.policy}${at}: ${image}: ${briefly(policy)}`;
    }),
  ];
  if (parts.length === 0) return '';
  const next = nextStep === undefined ? [] : [`Next: ${nextStep}`];
  return harmlessText([...parts.map((part) => part.replace(/\.$/, '')), ...next].join('. '));
}

/** The judgement in full, for a log or a terminal: every policy, authority, check, reason and piece of evidence. */
export function explainFully(judgement: ImageJudgement): string {
  const { image, digest, outcome, policies, reasons, nextStep } = judgement;
  const name = image.includes(digest) ? image : `${image} (${digest})`;
  const lines = [
    `${name}: ${outcome}`,
    ...reasons.map(({ message }) => `  ${message}`),
    ...policies.flatMap(policyLines),
    ...(nextStep === undefined ? [] : [`  next: ${nextStep}`]),
  ];
  return lines.map(harmlessText).join('\n');
}

function briefly({ authorities, reasons }: PolicyResult): string {
  // What one authority lacks does not matter once another vouches.
  const failing = authorities.some(({ passed }) => passed) ? [] : authorities;
  return [
    ...reasons.map(describeReason),
    ...failing.map(({ authority, checks }) => {
      return `authority ${authority}: ${checks.map(checkBriefly).join('; ')}`;
    }),
  ].join(' | ');
}

function checkBriefly({ check, outcome, reasons }: CheckResult): string {
  const [reason] = reasons;
  return reason === undefined ? `${check} ${outcome}` : `${check} ${outcome} (${describeReason(reason)})`;
}

/** By which exception a policy that is not met counts as a warning; empty if by none. */
function excusedBy({ exception }: PolicyResult): string {
  if (exception === undefined) return '';
  const { name, expiresAt, approvedBy, reason } = exception;
  return `excepted until ${expiresAt} by ${name} (approved by ${approvedBy}: ${clip(reason)}): `;
}

function policyLines(result: PolicyResult): readonly string[] {
  const { policy, mode, evaluation, passed, authorities, reasons } = result;
  return [
    `  policy ${policy} (${mode}, ${evaluation}): ${excusedBy(result)}${passed ? 'passed' : 'failed'}`,
    ...reasons.map((reason) => `    ${describeReason(reason)}`),
    ...authorities.flatMap(({ authority, kind, passed: vouches, checks }) => [
      `    authority ${authority} (${kind}): ${vouches ? 'passed' : 'failed'}`,
      ...checks.flatMap(checkLines),
    ]),
  ];
}

function checkLines({ check, predicateType, outcome, evidence, reasons }: CheckResult): readonly string[] {
  const type = predicateType === undefined ? '' : ` (${predicateType})`;
  return [
    `      ${check}${type}: ${outcome}`,
    ...reasons.map((reason) => `        ${describeReason(reason)}${sourceOf(reason)}`),
    ...evidence.map((piece) => `        ${describeEvidence(piece)}`),
  ];
}

/** A reason in words: what is there, against what should be. */
export function describeReason({ message, path, expected, found }: CheckReason): string {
  if (path === undefined) return clip(message);
  const values = [
    ...(expected === undefined ? [] : [`expected ${clip(expected)}`]),
    ...(found === undefined ? [] : [`found ${clip(found)}`]),
  ];
  return `${path}: ${values.length === 2 ? values.join(', ') : [clip(message), ...values].join(', ')}`;
}

function sourceOf({ ref }: CheckReason): string {
  return ref === undefined ? '' : ` [${ref}]`;
}

function describeEvidence({ layout, ref, signer, logEntries, witnessedAt }: AcceptedEvidence): string {
  const who = 'subject' in signer ? `${signer.subject} by ${signer.issuer}` : `key ${signer.keyFingerprint}`;
  const logged = logEntries.map(({ logIndex }) => `, log index ${logIndex}`).join('');
  const [first] = witnessedAt;
  const when = first === undefined ? '' : `, ${first}`;
  return `${layout}: ${who}${logged}${when} [${ref}]`;
}

function clip(text: string): string {
  return text.length <= maxText ? text : `${text.slice(0, maxText)}…`;
}

/** Text from evidence may hold anything; neither terminal nor reader must be deceived by it. */
export function harmlessText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
