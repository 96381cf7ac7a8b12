import type { Finding } from '../kube/conditions.ts';
import { isAppError, messageOf } from '../model/errors.ts';

/** The condition of a ClusterImagePolicy that says what became of it in Kyverno. */
export const conditionType = 'KyvernoExported';

/** The cluster has no Kyverno. */
export const absent = finding('False', 'KyvernoAbsent', 'the cluster does not know policies.kyverno.io');

/** Nothing is exported, by the settings. */
export const switchedOff = finding('False', 'SwitchedOff', 'spec.kyverno.export of the settings is off');

/** Somebody else's policy has the name. */
export function taken(name: string): Finding {
  const why = `there is an ImageValidatingPolicy ${name} that is not ours; rename it or this policy`;
  return finding('False', 'NameTaken', why);
}

/** It is in place, and that is where it is stricter. */
export function exported(name: string, limitations: readonly string[]): Finding {
  return finding(
    'True',
    'Exported',
    `ImageValidatingPolicy ${name}; stricter there: ${limitations.join('; ')}`,
  );
}

/** It could not be written. */
export function unavailable(error: unknown): Finding {
  return finding('False', 'NotWritten', reasonOf(error));
}

/** What Kyverno does meanwhile with the images of a policy that it does not hold as it is. */
export function closed(about: Finding, { isHeld }: { readonly isHeld: boolean }): Finding {
  const before = isHeld ? 'goes on with the policy as it was written last, and ' : '';
  const message = `${about.message}; Kyverno ${before}denies those of its images that it does not check`;
  return { ...about, message };
}

/** What is to be said of every policy while one that covers what they leave open is not in place. */
export function leftOpen(about: Finding, why: string): Finding {
  const message = `Kyverno may admit images that no policy there checks: ${why}; ${about.message}`;
  return { ...about, message, ...(about.status === 'True' ? { status: 'False', reason: 'LeftOpen' } : {}) };
}

/** A fault in one line, with its code. */
export function reasonOf(error: unknown): string {
  const code = isAppError(error) ? `${error.code}: ` : '';
  return `${code}${messageOf(error)}`;
}

/** A fault as lines of the log have it. */
export function faultOf(error: unknown): { readonly code: string | undefined; readonly error: string } {
  return { code: isAppError(error) ? error.code : undefined, error: messageOf(error) };
}

function finding(status: Finding['status'], reason: string, message: string): Finding {
  return { type: conditionType, status, reason, message };
}
