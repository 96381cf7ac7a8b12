import { AppError } from '../../model/errors.ts';
import type { CheckReason, CheckResult } from '../../policy/judgement.ts';
import type { UnmetPolicy } from './statement-policies.ts';

const code = 'ERR_VERIFY_ATTESTATION';

/** No attestation of the image is verified: what each check says. */
export function noneVerified(image: string, failed: readonly CheckResult[]): AppError {
  const lines = failed.flatMap(({ predicateType = '', outcome, reasons }) => [
    `${predicateType}: ${outcome}`,
    ...reasons.map(lineOf),
  ]);
  return new AppError(code, [`no attestation of ${image} passes`, ...lines].join('\n'), {
    kind: 'permanent',
    object: image,
    remedy: 'Attest the image, or correct type or signer.',
  });
}

/** Verified statements do not meet policies: which one which, and why. */
export function policiesUnmet(image: string, unmet: readonly UnmetPolicy[]): AppError {
  const lines = unmet.flatMap(({ file, ref, reasons }) => [
    `${ref} does not meet ${file}:`,
    ...reasons.map(lineOf),
  ]);
  return new AppError(code, [`attestations of ${image} do not meet the policy`, ...lines].join('\n'), {
    kind: 'permanent',
    object: image,
    remedy:
      'Each verified statement of the type has to meet each policy: correct what it tells of, or the policy.',
  });
}

function lineOf({ code: why, message, path, expected, found, ref }: CheckReason): string {
  const compared = [
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(found === undefined ? [] : [`found ${found}`]),
  ];
  const rule = [...(path === undefined ? [] : [path]), message, ...compared].join(', ');
  return `  ${why}: ${rule}${ref === undefined ? '' : ` [${ref}]`}`;
}
