import { generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto';
import type { KeyPairKeyObjectResult } from 'node:crypto';
import { request } from 'undici';

/** Has a Rekor v2 take entries by a key, many at a time; gives their indexes. Absent, it is that of somebody whom nobody watches for. */
export async function growRekor2(
  url: string,
  count: number,
  { publicKey, privateKey }: KeyPairKeyObjectResult = generateKeyPairSync('ec', { namedCurve: 'P-256' }),
): Promise<readonly number[]> {
  const rawBytes = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const indexes: number[] = [];
  let left = count;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const payload = randomBytes(16);
      const verifier = { publicKey: { rawBytes }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
      const hashedRekordRequestV002 = {
        digest: hash('sha256', payload, 'base64'),
        signature: { content: sign('sha256', payload, privateKey).toString('base64'), verifier },
      };
      const { statusCode, body } = await request(`${url}/api/v2/log/entries`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ hashedRekordRequestV002 }),
      });
      const text = await body.text();
      if (statusCode >= 300) throw new Error(`Rekor v2 answered with ${statusCode}: ${text}`);
      // JSON leaves out an index that is zero.
      indexes.push(Number((JSON.parse(text) as { logIndex?: string }).logIndex ?? 0));
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, 256) }, work));
  return indexes;
}
