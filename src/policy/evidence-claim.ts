import type { Digest } from '../model/digest.ts';
import { AppError } from '../model/errors.ts';
import { inTotoPayloadType } from '../statements/dsse.ts';
import { parseSimpleSigning } from '../statements/simple-signing.ts';
import { findSubject, parseStatement, predicateTypes } from '../statements/statement.ts';
import type { Statement } from '../statements/statement.ts';

/** What a signed payload says: that an image is signed, or something about it. */
export type EvidenceClaim =
  | { readonly kind: 'signature'; readonly isAbout: (digest: Digest) => boolean }
  | {
      readonly kind: 'attestation';
      readonly statement: Statement;
      readonly isAbout: (digest: Digest) => boolean;
    };

/**
 * Reads a signed payload: cosign's simple signing, an in-toto statement, or the statement by which cosign 3 signs images.
 * Throws ERR_SIMPLE_SIGNING, ERR_STATEMENT, ERR_POLICY_PAYLOAD_TYPE.
 */
export function parseClaim(payload: Uint8Array, payloadType: string | undefined): EvidenceClaim {
  if (payloadType === undefined) {
    const signed = parseSimpleSigning(payload).digest;
    return { kind: 'signature', isAbout: (digest) => digest === signed };
  }
  if (payloadType !== inTotoPayloadType) {
    throw new AppError('ERR_POLICY_PAYLOAD_TYPE', `its payload is of type ${payloadType.slice(0, 160)}`, {
      kind: 'permanent',
      remedy: `Attest the image again with a tool that writes ${inTotoPayloadType}.`,
    });
  }
  const statement = parseStatement(payload);
  const isAbout = (digest: Digest): boolean => findSubject(statement, digest) !== undefined;
  return statement.predicateType === predicateTypes.cosignSign
    ? { kind: 'signature', isAbout }
    : { kind: 'attestation', statement, isAbout };
}
