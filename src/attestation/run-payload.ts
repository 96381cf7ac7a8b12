import { encodePem, verifierPem } from '../model/signature.ts';
import { encodeEnvelope } from '../statements/dsse.ts';
import { runShortKey } from '../storage/run-annotation-storage.ts';
import type { RunPayload } from '../storage/run-annotation-storage.ts';
import type { SignedArtifact } from './signed-artifact.ts';

/** A signed statement in the form in which it lies on the run itself (Tekton Chains' storage `tekton`). */
export function toRunPayload({ planned, envelope, key }: SignedArtifact, uid: string): RunPayload {
  if (envelope === undefined) throw new Error(`${planned.subject} is no statement`);
  const { material } = key;
  return {
    shortKey: runShortKey('TaskRun', uid),
    payload: planned.payload,
    signature: encodeEnvelope(envelope),
    ...(material.kind === 'public-key'
      ? {}
      : {
          certificatePem: verifierPem(material),
          chainPem: material.chainDer
            .slice(1)
            .map((der) => encodePem('CERTIFICATE', der))
            .join(''),
        }),
  };
}
