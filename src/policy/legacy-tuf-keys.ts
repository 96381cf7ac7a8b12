import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { TufTarget, TufTargets } from '../signing/tuf-client.ts';
import { listPemCertificates } from './trusted-keys.ts';
import type { TrustedKeys } from './trusted-keys.ts';

const usage = z.object({
  sigstore: z.object({
    usage: z.enum(['Fulcio', 'CTFE', 'Rekor', 'TSA']),
    uri: z.string().optional(),
  }),
});
// Sigstore's own repository lists less than twenty.
const maxKeys = 100;

interface UsedTarget {
  readonly path: string;
  readonly usage: z.output<typeof usage>['sigstore']['usage'];
  readonly uri: string;
}

interface UsedFile extends UsedTarget {
  readonly pem: string;
}

/**
 * Keys and certificates of a TUF repository that has no `trusted_root.json`: Sigstore's older layout, where the targets'
 * custom metadata tell what each file is for. Undefined if none is.
 */
export async function findLegacyKeys(targets: TufTargets): Promise<TrustedKeys | undefined> {
  const used = (await targets.list()).flatMap(toUsed).slice(0, maxKeys);
  if (used.length === 0) return undefined;
  const files: UsedFile[] = [];
  for (const one of used) {
    files.push({ ...one, pem: (await targets.find(one.path))?.toString('latin1') ?? '' });
  }
  const logs = (wanted: UsedTarget['usage']): TrustedKeys['tlogs'] =>
    files.filter((file) => file.usage === wanted).map(({ uri, pem }) => ({ baseUrl: uri, publicKey: pem }));
  return {
    tlogs: logs('Rekor'),
    ctlogs: logs('CTFE'),
    certificateAuthorities: authorities(files, 'Fulcio'),
    timestampAuthorities: authorities(files, 'TSA'),
  };
}

function toUsed({ path, custom }: TufTarget): readonly UsedTarget[] {
  const { success, data } = usage.safeParse(custom);
  if (!success) return [];
  const { usage: use, uri = '' } = data.sigstore;
  return [{ path, usage: use, uri: uri === '' ? path : uri }];
}

/** A file holds a whole chain, or one certificate of a chain whose rest lies in the others; so each gets them all. */
function authorities(
  files: readonly UsedFile[],
  wanted: UsedTarget['usage'],
): TrustedKeys['certificateAuthorities'] {
  const chains = files
    .filter((file) => file.usage === wanted)
    .map(({ uri, pem }) => ({ uri, certificates: listPemCertificates(pem) }));
  const shared = chains.flatMap(({ certificates }) => certificates.filter(isAuthority));
  return chains.map(({ uri, certificates }) => {
    const all = new Map([...certificates, ...shared].map((bytes) => [bytes.toString('base64'), bytes]));
    return { uri, certificates: [...all.values()] };
  });
}

function isAuthority(certificate: Buffer): boolean {
  return new X509Certificate(certificate).ca;
}
