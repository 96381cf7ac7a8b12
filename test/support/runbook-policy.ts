import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Stack } from '../../hack/stack/stack.ts';
import type { KubeApi } from './kube-api.ts';
import { trustRootObject, trustRootsPath } from './trust-root.ts';

/** The runbook's policy, byte for byte. */
export const runbookPolicyFile = new URL(
  '../../config/samples/golemtrust-production-policy.yaml',
  import.meta.url,
);

/** Collection of ClusterImagePolicies at the API server. */
export const policiesPath = '/apis/policy.sigstore.dev/v1alpha1/clusterimagepolicies';

/** An authority of a policy: the runbook's has `keyless`, others a `key` instead. */
export interface PolicyAuthority {
  name: string;
  signatureFormat?: string;
  ctlog?: { trustRootRef?: string; url?: string };
  key?: { data: string };
  keyless?: {
    identities: { issuer: string; subjectRegExp: string }[];
    trustRootRef?: string;
    insecureIgnoreSCT?: boolean;
  };
  attestations: { name: string; predicateType: string; policy?: { type: string; data: string } }[];
}

/** The parts of the runbook's policy that tests change. */
export interface PolicyDocument {
  metadata: { name: string; annotations?: Record<string, string> };
  spec: {
    images: { glob: string }[];
    authorities: PolicyAuthority[];
  };
}

/** The runbook's policy, to be changed. */
export async function readRunbookPolicy(): Promise<PolicyDocument> {
  return parse(await readFile(runbookPolicyFile, 'utf8')) as PolicyDocument;
}

/** What a keyless authority asks for. Throws for one by key. */
export function keylessOf({ name, keyless }: PolicyAuthority): NonNullable<PolicyAuthority['keyless']> {
  if (keyless === undefined) throw new Error(`${name} is not keyless`);
  return keyless;
}

/** The runbook's policy about other images, with a trust root that it names itself. */
export async function runbookPolicyFor(
  glob: string,
  name: string,
  trustRoot: string,
): Promise<PolicyDocument> {
  const policy = await readRunbookPolicy();
  policy.metadata.name = name;
  policy.spec.images = [{ glob }];
  policy.spec.authorities = policy.spec.authorities.map((authority) => ({
    ...authority,
    keyless: { ...keylessOf(authority), trustRootRef: trustRoot },
    ctlog: { trustRootRef: trustRoot },
  }));
  return policy;
}

/** Objects at the API server to judge by, until they are disposed of. */
export interface AppliedPolicy extends AsyncDisposable {
  readonly names: { readonly policy: string; readonly trustRoot: string };
}

/** Creates the runbook's policy about the images of `glob`, and the stack's trust root, both named `label`. */
export async function applyRunbookPolicy(parts: {
  readonly stack: Stack;
  readonly api: KubeApi;
  readonly label: string;
  readonly glob: string;
}): Promise<AppliedPolicy> {
  const { stack, api, label, glob } = parts;
  await api.create(trustRootsPath, await trustRootObject(stack, label));
  await api.create(policiesPath, await runbookPolicyFor(glob, label, label));
  return {
    names: { policy: label, trustRoot: label },
    [Symbol.asyncDispose]: async () => {
      await api.delete(`${policiesPath}/${label}`);
      await api.delete(`${trustRootsPath}/${label}`);
    },
  };
}
