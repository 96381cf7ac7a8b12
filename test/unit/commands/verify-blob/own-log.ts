import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { EntryJson, RootJson } from './blob-fixtures.ts';

/**
 * A log that a test owns, in the place of the trust root's first one: it takes in whatever it is given, with promise, proof
 * and checkpoint that hold, so that only what the entry says can be wrong.
 */
export class OwnLog {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #spki = this.#keys.publicKey.export({ format: 'der', type: 'spki' });
  readonly #id = createHash('sha256').update(this.#spki).digest();

  /** Makes a trust root trust this log alone. */
  enter(root: RootJson): void {
    const [first] = root.tlogs;
    if (first === undefined) throw new Error('the trust root has no log');
    const publicKey = { ...first.publicKey, rawBytes: this.#spki.toString('base64') };
    root.tlogs = [{ ...first, publicKey, logId: { keyId: this.#id.toString('base64') } }];
  }

  /** The entry as this log would vouch for it, the only one in its tree. */
  vouch(entry: EntryJson): EntryJson {
    const body = Buffer.from(entry.canonicalizedBody, 'base64');
    const root = createHash('sha256').update(Buffer.of(0)).update(body).digest('base64');
    const promised = JSON.stringify({
      body: entry.canonicalizedBody,
      integratedTime: Number(entry.integratedTime),
      logID: this.#id.toString('hex'),
      logIndex: 0,
    });
    const note = `rekor.golems.internal - 1\n1\n${root}\n`;
    const signature = Buffer.concat([this.#id.subarray(0, 4), this.#sign(note)]).toString('base64');
    return {
      ...entry,
      logIndex: '0',
      logId: { keyId: this.#id.toString('base64') },
      inclusionPromise: { signedEntryTimestamp: this.#sign(promised).toString('base64') },
      inclusionProof: {
        logIndex: '0',
        rootHash: root,
        treeSize: '1',
        hashes: [],
        checkpoint: { envelope: `${note}\n\u2014 rekor.golems.internal ${signature}\n` },
      },
    };
  }

  #sign(text: string): Buffer {
    return sign('sha256', Buffer.from(text), this.#keys.privateKey);
  }
}
