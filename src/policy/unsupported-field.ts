import { AppError } from '../model/errors.ts';

/** ERR_POLICY_UNSUPPORTED: a field that policy-controller knows and that is not implemented here. */
export function unsupported({ name }: { readonly name: string }, what: string): AppError {
  return new AppError('ERR_POLICY_UNSUPPORTED', `${name}: ${what} is not supported yet`, {
    kind: 'permanent',
    object: name,
    remedy: 'Write the policy without it; until then it denies every image that it matches.',
  });
}
