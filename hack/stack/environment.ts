import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';

import { hosts, urls } from './addresses.ts';
import { builtPath } from './build/binaries.ts';
import { credential, robotPasswords, robots } from './certificates.ts';
import { inState } from './paths.ts';
import { signingConfigFile, signingConfigFile2, trustedRootFile } from './trust.ts';
import { components } from './versions.ts';

const envFile = inState('env');

/** What a shell that sources `.stack/env` gets. */
export type StackEnvironment = Readonly<Record<string, string>>;

/** The text of a file that a POSIX shell can source. */
export function shellText(variables: StackEnvironment): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}

/** Reads back what `shellText` wrote. */
export function parseShellText(text: string): StackEnvironment {
  const variables: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/^export (\w+)='(.*)'$/gm)) {
    if (name !== undefined && value !== undefined) variables[name] = value.replaceAll("'\\''", "'");
  }
  return variables;
}

/** The variables of the running stack, as `up` wrote them. */
export async function readEnvironment(): Promise<StackEnvironment> {
  const text = await readFile(envFile, 'utf8').catch(() => {
    throw new Error('the local stack is not up: run `make stack-up`');
  });
  return parseShellText(text);
}

async function variables(): Promise<StackEnvironment> {
  const passwords = await robotPasswords();
  return {
    STACK_BIN: inState('bin'),
    KUBECONFIG: inState('kubeconfig'),
    STACK_REGISTRY: `${hosts.harbor.name}/golem-trust`,
    STACK_REGISTRY_REFERRERS: `${hosts.oci.name}/golem-trust`,
    STACK_FULCIO_URL: urls.fulcio,
    STACK_CTLOG_URL: urls.ctlog,
    STACK_REKOR_URL: urls.rekor,
    STACK_REKOR2_URL: urls.rekor2,
    STACK_TSA_URL: `${urls.tsa}/api/v1/timestamp`,
    STACK_ISSUER: urls.kubernetes,
    STACK_TRUSTED_ROOT: trustedRootFile,
    STACK_SIGNING_CONFIG: signingConfigFile,
    STACK_SIGNING_CONFIG_REKOR2: signingConfigFile2,
    STACK_CA: credential('ca.crt'),
    SSL_CERT_FILE: credential('bundle.crt'),
    NODE_EXTRA_CA_CERTS: credential('ca.crt'),
    DOCKER_CONFIG: inState('docker'),
    STACK_DOCKER_CONFIG_READER: inState('docker-reader'),
    STACK_ROBOT_USER: robots.writer,
    STACK_ROBOT_PASSWORD: passwords[robots.writer],
    STACK_READER_USER: robots.reader,
    STACK_READER_PASSWORD: passwords[robots.reader],
    STACK_FULCIO_ROOT: credential('fulcio.crt'),
    STACK_CTLOG_PUBLIC_KEY: credential('ctlog.pub'),
    STACK_REKOR_PUBLIC_KEY: credential('rekor.pub'),
    STACK_REKOR2_PUBLIC_KEY: credential('rekor2.pub'),
    STACK_TSA_CHAIN: credential('tsa-chain.crt'),
    STACK_LOGS: inState('logs'),
    TUF_ROOT: inState('home', 'tuf'),
  };
}

async function writeDockerConfig(folder: string, user: string, password: string): Promise<void> {
  await mkdir(inState(folder), { recursive: true });
  const auth = Buffer.from(`${user}:${password}`).toString('base64');
  await writeFile(
    inState(folder, 'config.json'),
    JSON.stringify({ auths: { [hosts.harbor.name]: { auth } } }),
    { mode: 0o600 },
  );
}

async function base64Of(name: string): Promise<string> {
  return (await readFile(credential(name))).toString('base64');
}

/** JSON, which is YAML too. */
async function kubeconfig(): Promise<string> {
  const name = 'stack';
  const cluster = { server: urls.kubernetes, 'certificate-authority-data': await base64Of('ca.crt') };
  const user = {
    'client-certificate-data': await base64Of('admin.crt'),
    'client-key-data': await base64Of('admin.key'),
  };
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
    },
    undefined,
    2,
  );
}

async function linkBinaries(): Promise<void> {
  await rm(inState('bin'), { recursive: true, force: true });
  await mkdir(inState('bin'), { recursive: true });
  const programs = components.filter(
    (component) => component.kind !== 'files' && component.onDemand !== true,
  );
  await Promise.all(
    programs.map((component) => symlink(builtPath(component), inState('bin', component.name))),
  );
}

/** Writes everything that a client of the stack needs, besides the trust root. */
export async function writeEnvironment(): Promise<void> {
  const passwords = await robotPasswords();
  await writeDockerConfig('docker', robots.writer, passwords[robots.writer]);
  await writeDockerConfig('docker-reader', robots.reader, passwords[robots.reader]);
  await writeFile(inState('kubeconfig'), await kubeconfig(), { mode: 0o600 });
  await linkBinaries();
  await writeFile(`${envFile}.new`, shellText(await variables()), { mode: 0o600 });
  await rename(`${envFile}.new`, envFile);
}
