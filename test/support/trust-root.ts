import { readFile } from 'node:fs/promises';
import type { Stack } from '../../hack/stack/stack.ts';
import type { KubeObject } from './kube-api.ts';

interface Log {
  readonly baseUrl: string;
  readonly publicKey: { readonly rawBytes: string };
}

interface Authority {
  readonly subject: object;
  readonly uri: string;
  readonly certChain: { readonly certificates: readonly { readonly rawBytes: string }[] };
}

interface TrustedRoot {
  readonly tlogs: readonly Log[];
  readonly ctlogs: readonly Log[];
  readonly certificateAuthorities: readonly Authority[];
  readonly timestampAuthorities: readonly Authority[];
}

/** Collection of TrustRoots at the API server. */
export const trustRootsPath = '/apis/policy.sigstore.dev/v1alpha1/trustroots';

/** The stack's trust root as a `policy.sigstore.dev` TrustRoot with its keys in the object. */
export async function trustRootObject(stack: Stack, name: string): Promise<KubeObject> {
  const root = JSON.parse(await readFile(stack.trustedRoot, 'utf8')) as TrustedRoot;
  return {
    apiVersion: 'policy.sigstore.dev/v1alpha1',
    kind: 'TrustRoot',
    metadata: { name },
    spec: {
      sigstoreKeys: {
        certificateAuthorities: root.certificateAuthorities.map(toAuthority),
        // policy-controller asks the last one for entries.
        tLogs: root.tlogs.map(toLog).reverse(),
        ctLogs: root.ctlogs.map(toLog),
        timestampAuthorities: root.timestampAuthorities.map(toAuthority),
      },
    },
  };
}

function toLog({ baseUrl, publicKey }: Log): object {
  return { baseURL: baseUrl, hashAlgorithm: 'sha-256', publicKey: toPem('PUBLIC KEY', [publicKey.rawBytes]) };
}

function toAuthority({ subject, uri, certChain }: Authority): object {
  const certificates = certChain.certificates.map(({ rawBytes }) => rawBytes);
  return { subject, uri, certChain: toPem('CERTIFICATE', certificates) };
}

function toPem(label: string, base64: readonly string[]): string {
  const blocks = base64.map((bytes) => {
    const lines = bytes.match(/.{1,64}/g)?.join('\n') ?? '';
    return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
  });
  return Buffer.from(blocks.join('')).toString('base64');
}
