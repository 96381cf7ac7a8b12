import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';

/** A log entry with made-up values in every field. */
export const logEntry: TransparencyLogEntry = {
  logIndex: '4139',
  logId: { keyId: Buffer.from('c0ffee', 'hex') },
  kindVersion: { kind: 'dsse', version: '0.0.1' },
  integratedTime: '1795374515',
  inclusionPromise: { signedEntryTimestamp: Buffer.from('promise') },
  inclusionProof: {
    logIndex: '39',
    rootHash: Buffer.from('root'),
    treeSize: '40',
    hashes: [Buffer.from('hash')],
    checkpoint: { envelope: 'rekor.test - 1\n40\ncm9vdA==\n\n— rekor.test c2ln\n' },
  },
  canonicalizedBody: Buffer.from('{"apiVersion":"0.0.1","kind":"dsse","spec":{}}'),
};
