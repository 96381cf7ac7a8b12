import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kubectl } from '../../../hack/stack/stack.ts';
import { waitFor } from '../waiting.ts';
import type { PodPlan, PodVolume } from './pod-objects.ts';

/** Where the token of a Pod's account lies. */
export const accountPath = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What making a Pod's volumes takes. */
export interface VolumeParts {
  readonly namespace: string;
  /** Of the Pod; claims lie beside it, since they outlive it. */
  readonly folder: string;
  /** PEM of the authority behind the API server. */
  readonly ca: string;
}

/** The data of a Secret or ConfigMap of the API server; waits until it is there, as the kubelet does. */
export async function readData(
  kind: 'secret' | 'configmap',
  name: string,
  namespace: string,
): Promise<Readonly<Record<string, Buffer>>> {
  const { data = {} } = await waitFor(
    async () =>
      JSON.parse(await kubectl(['get', kind, name, '--namespace', namespace, '-o', 'json'])) as {
        data?: Record<string, string>;
      },
    { what: `${kind} ${name} being there`, timeoutMs: 60_000, pollMs: 500 },
  );
  const encoding = kind === 'secret' ? 'base64' : 'utf8';
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, encoding)]));
}

/** Makes every volume of a Pod; gives their folders by name, that of the account's token under its path. */
export async function makeVolumes(pod: PodPlan, parts: VolumeParts): Promise<ReadonlyMap<string, string>> {
  const { spec, name, claims } = pod;
  const { fsGroup } = spec.securityContext;
  const folders = new Map<string, string>();
  for (const volume of spec.volumes) {
    const folder = join(parts.folder, 'volumes', volume.name);
    await writableFolder(folder, fsGroup);
    for (const [file, content] of Object.entries(await contentOf(volume, pod, parts.namespace))) {
      await writeFile(join(folder, file), content, { mode: 0o440 });
      await chown(join(folder, file), 0, fsGroup);
    }
    folders.set(volume.name, folder);
  }
  for (const claim of claims) {
    const folder = join(parts.folder, '..', 'claims', `${name}-${claim}`);
    await writableFolder(folder, fsGroup);
    folders.set(claim, folder);
  }
  if (spec.automountServiceAccountToken !== false) {
    folders.set(accountPath, await makeAccount(spec.serviceAccountName, fsGroup, parts));
  }
  return folders;
}

/** As the kubelet leaves a volume for a group. */
async function writableFolder(folder: string, group: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await chown(folder, 0, group);
  await chmod(folder, 0o2775);
}

async function contentOf(
  { configMap, secret, projected }: PodVolume,
  { spec }: PodPlan,
  namespace: string,
): Promise<Readonly<Record<string, Buffer>>> {
  if (projected !== undefined) {
    const tokens = projected.sources.map(async ({ serviceAccountToken: { path, audience } }) => {
      const token = await createToken(spec.serviceAccountName, namespace, `--audience=${audience}`);
      return [path, Buffer.from(token)] as const;
    });
    return Object.fromEntries(await Promise.all(tokens));
  }
  if (configMap !== undefined) return readData('configmap', configMap.name, namespace);
  if (secret === undefined) return {};
  const data = await readData('secret', secret.secretName, namespace);
  if (secret.items === undefined) return data;
  return Object.fromEntries(secret.items.map(({ key, path }) => [path, data[key] ?? Buffer.alloc(0)]));
}

async function makeAccount(
  account: string | undefined,
  group: number,
  { namespace, folder, ca }: VolumeParts,
): Promise<string> {
  const place = join(folder, 'volumes', 'account');
  await writableFolder(place, group);
  const token = await createToken(account, namespace);
  for (const [file, content] of Object.entries({ token, 'ca.crt': ca, namespace })) {
    await writeFile(join(place, file), content, { mode: 0o440 });
    await chown(join(place, file), 0, group);
  }
  return place;
}

async function createToken(
  account = 'default',
  namespace: string,
  ...args: readonly string[]
): Promise<string> {
  return (await kubectl(['create', 'token', account, '--namespace', namespace, ...args])).trim();
}
