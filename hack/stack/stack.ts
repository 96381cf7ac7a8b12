/** The door for tests and benches: where the running stack is, and how to take a server away and bring it back. */
import { readEnvironment } from './environment.ts';
import type { StackEnvironment } from './environment.ts';
import { kubectl } from './kubernetes/setup.ts';
import { stopProcess } from './process/stop.ts';
import { ensureRunning } from './process/supervise.ts';
import { serversNamed } from './servers/index.ts';

export { kubectl } from './kubernetes/setup.ts';
export { trillianSql } from './servers/databases.ts';

/** Where the parts of a running stack are. */
export interface Stack {
  /** Folder of the servers' and judges' programs: cosign, rekor-cli, crane, kubectl ... */
  readonly bin: string;
  readonly kubeconfig: string;
  /** Repository prefix in the registry with token authentication and without a referrers API. */
  readonly registry: string;
  /** Repository prefix in the registry with the referrers API, open to all. */
  readonly registryReferrers: string;
  readonly fulcioUrl: string;
  readonly rekorUrl: string;
  readonly rekor2Url: string;
  readonly tsaUrl: string;
  readonly issuer: string;
  readonly trustedRoot: string;
  readonly ca: string;
  readonly robot: { readonly user: string; readonly password: string };
  readonly reader: { readonly user: string; readonly password: string };
  /** Every variable of `.stack/env`, to hand to a child process. */
  readonly env: StackEnvironment;
}

/** The stack that `make stack-up` brought up; an error that says so if there is none. */
export async function openStack(): Promise<Stack> {
  const env = await readEnvironment();
  const value = (name: string): string => {
    const found = env[name];
    if (found === undefined) throw new Error(`.stack/env has no ${name}: run \`make stack-up\` again`);
    return found;
  };
  return {
    bin: value('STACK_BIN'),
    kubeconfig: value('KUBECONFIG'),
    registry: value('STACK_REGISTRY'),
    registryReferrers: value('STACK_REGISTRY_REFERRERS'),
    fulcioUrl: value('STACK_FULCIO_URL'),
    rekorUrl: value('STACK_REKOR_URL'),
    rekor2Url: value('STACK_REKOR2_URL'),
    tsaUrl: value('STACK_TSA_URL'),
    issuer: value('STACK_ISSUER'),
    trustedRoot: value('STACK_TRUSTED_ROOT'),
    ca: value('STACK_CA'),
    robot: { user: value('STACK_ROBOT_USER'), password: value('STACK_ROBOT_PASSWORD') },
    reader: { user: value('STACK_READER_USER'), password: value('STACK_READER_PASSWORD') },
    env,
  };
}

/** Stops a server as its keeper would; resolves once it is gone. `harbor` stands for its front and its registry. */
export async function stopServer(name: string): Promise<void> {
  for (const server of serversNamed(name).reverse()) await stopProcess(server.name, server.stopSignal);
}

/** Kills a server in the midst of what it does; resolves once it is gone. */
export async function killServer(name: string): Promise<void> {
  await Promise.all(serversNamed(name).map((server) => stopProcess(server.name, 'SIGKILL')));
}

/** Starts a server; resolves once it is healthy. Nothing happens if it is. */
export async function startServer(name: string): Promise<void> {
  for (const server of serversNamed(name)) await ensureRunning(server);
}

/** A fresh identity token of a ServiceAccount, for one audience. */
export async function identityToken(
  account: { readonly namespace: string; readonly name: string } = {
    namespace: 'tekton-chains',
    name: 'tekton-chains-controller',
  },
  audience = 'sigstore',
): Promise<string> {
  const token = await kubectl([
    'create',
    'token',
    account.name,
    '--namespace',
    account.namespace,
    `--audience=${audience}`,
  ]);
  return token.trim();
}
