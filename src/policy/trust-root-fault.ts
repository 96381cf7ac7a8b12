import { AppError } from '../model/errors.ts';

/** ERR_POLICY_REFERENCE: a TrustRoot object that a policy names, or the settings, is there, but of no use. */
export function unusableTrustRoot(name: string, why: string): AppError {
  return new AppError('ERR_POLICY_REFERENCE', `trustRootRef ${name} cannot be used: ${why}`, {
    kind: 'permanent',
    object: name,
    remedy: 'Correct the TrustRoot; its condition Ready says more.',
  });
}
