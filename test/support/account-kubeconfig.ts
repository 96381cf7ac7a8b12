import { readFile, writeFile } from 'node:fs/promises';
import { kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';

/** A ServiceAccount. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** Who signs, and with whose rights the controller runs. */
export const controllerAccount: Account = { namespace: 'tekton-chains', name: 'tekton-chains-controller' };

interface Kubeconfig {
  readonly users: readonly { readonly name: string }[];
  readonly [field: string]: unknown;
}

/** Writes a kubeconfig for `account`, with a token for the API server that is good for some hours. */
export async function writeAccountKubeconfig(stack: Stack, account: Account, file: string): Promise<void> {
  const token = await kubectl([
    'create',
    'token',
    account.name,
    `--namespace=${account.namespace}`,
    '--duration=6h',
    `--audience=${stack.issuer}`,
  ]);
  const admin = JSON.parse(await readFile(stack.kubeconfig, 'utf8')) as Kubeconfig;
  const users = admin.users.map(({ name }) => ({ name, user: { token: token.trim() } }));
  await writeFile(file, JSON.stringify({ ...admin, users }), { mode: 0o600 });
}
