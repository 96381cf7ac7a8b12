import { AppError } from '../model/errors.ts';

const remedies = {
  ERR_LAYOUT_FORMAT: 'Let in-toto or "chainwright layout sign" write the file again.',
  ERR_LAYOUT_KEY: 'Use ECDSA on P-256, P-384 or P-521, RSA of at least 2048 bits, or Ed25519.',
  ERR_LAYOUT_SIGNATURE: 'Give the key of the owner who signed the layout, or have it signed.',
  ERR_LAYOUT_EXPIRED: 'Have the owner of the layout sign a new one.',
  ERR_LAYOUT_THRESHOLD: 'Give links or attestations of enough of the functionaries whom the layout names.',
  ERR_LAYOUT_DISAGREE: 'Find out why functionaries report other materials or products for the same step.',
  ERR_LAYOUT_RULE:
    'Compare materials and products with the rules: somebody changed, added or left out a file.',
  ERR_LAYOUT_INSPECTION:
    'Run the command yourself where that is safe, record it with in-toto-run, and give it by --inspected NAME=FILE.',
  ERR_LAYOUT_DEPTH: 'Have the owner write a layout with fewer layouts inside one another.',
} as const;

/** A layout that does not hold, by what is wrong with it. */
export type LayoutFaultCode = keyof typeof remedies;

/** A fault about a layout, or something that it asks for. */
export function layoutFault(code: LayoutFaultCode, object: string, why: string): AppError {
  return new AppError(code, `${object}: ${why}`, { kind: 'permanent', object, remedy: remedies[code] });
}
