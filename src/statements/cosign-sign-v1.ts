import { splitDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { predicateTypes, statementTypes } from './statement.ts';
import type { Statement } from './statement.ts';

/**
 * The statement inside an image signature's bundle, as cosign 3.1.3 makes it (cmd/cosign/cli/sign/sign.go,
 * signDigestBundle): the digest as the one subject, without name, with the signer's annotations and an empty predicate.
 */
export function buildCosignSignStatement(
  digest: Digest,
  annotations: Readonly<Record<string, string>> = {},
): Statement {
  const { algorithm, hex } = splitDigest(digest);
  return {
    _type: statementTypes.v1,
    subject: [{ digest: { [algorithm]: hex }, annotations }],
    predicateType: predicateTypes.cosignSign,
    predicate: {},
  };
}
