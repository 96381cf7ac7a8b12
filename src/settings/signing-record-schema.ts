import { z } from 'zod';
import { isDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';

const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

function digest(): z.ZodType<Digest, string> {
  return z
    .string()
    .max(135)
    .regex(digestPattern, 'must be sha256:<64 hex> or sha512:<128 hex>')
    .refine(isDigest);
}
const entry = z.strictObject({
  log: z.string().max(2048).describe('Base URL of the log.'),
  logIndex: z.int().min(0).describe('Index of the entry in the log.'),
  logId: z.string().max(128).describe('Key id of the log, hex.'),
  integratedTime: z.int().min(0).describe('When the log took the entry, in seconds since 1970.'),
});

const destination = z
  .strictObject({
    layout: z
      .enum(['tag', 'referrer', 'run'])
      .describe("cosign's tag, a Sigstore bundle as OCI referrer, or an annotation of the run."),
    ref: z.string().max(1024).describe('HOST/PATH@digest, or the name of the annotation.'),
  })
  .describe('One place where the artifact was stored.');

const artifact = z
  .strictObject({
    kind: z.enum(['signature', 'provenance', 'sbom']).describe('What it is.'),
    layout: z
      .enum(['tag', 'referrer', 'shared'])
      .describe('The layout that it was signed for; shared by both for attestations.'),
    subject: z.string().max(2048).describe('NAME@DIGEST of the first subject.'),
    payloadDigest: digest().describe('SHA-256 of the signed payload, noted before it is signed.'),
    signedDigest: digest()
      .optional()
      .describe(
        'SHA-256 of the bytes under the signature where they are not the payload itself; what Rekor v2 logs.',
      ),
    keyFingerprints: z
      .array(
        z
          .string()
          .max(64)
          .regex(/^[\da-f]{64}$/, 'must be 64 hex digits')
          .describe('SHA-256 of a public key (SPKI).'),
      )
      .max(100)
      .describe('Every key that may have signed it, oldest first.'),
    entry: entry.optional().describe('Where the transparency log took it.'),
    furtherEntries: z.array(entry).max(31).optional().describe('Where further transparency logs took it.'),
    destinations: z.array(destination).max(600).describe('Where it was stored so far.'),
  })
  .describe('Intent and progress for one artifact.');

/** `spec` of a SigningRecord, as the API server holds it. */
export const signingRecordSchema = z.strictObject({
  run: z
    .strictObject({
      kind: z.enum(['TaskRun']).describe('Kind of the run.'),
      name: z.string().min(1).max(253).describe('Name of the run, in the same namespace.'),
    })
    .describe('The run that this record is about; the record is named by its UID.'),
  phase: z
    .enum(['Intended', 'Complete', 'Failed'])
    .describe(
      'Intended: under way; Complete: everything is stored; Failed: somebody must change something first.',
    ),
  artifacts: z.array(artifact).max(1000).describe('What was meant and what was reached, per artifact.'),
  fault: z.string().max(4096).optional().describe('Code and message of the last fault, if any.'),
});

/** The part of a record that is its `spec`. */
export type SigningRecordSpec = z.output<typeof signingRecordSchema>;
