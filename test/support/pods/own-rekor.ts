import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { postgresProgram } from '../../../hack/stack/packages.ts';
import { kubectl } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import type { KubeApi } from '../kube-api.ts';
import { createNamespace, deleteNamespace } from '../test-namespace.ts';
import { podsOf } from './pod-objects.ts';
import type { PodPlan } from './pod-objects.ts';
import { PodRunner } from './pod-runner.ts';
import type { ImageStandIn, PodOptions } from './pod-runner.ts';
import { readData } from './pod-volumes.ts';
import { renderChart } from './rendered-chart.ts';
import type { ChartObject } from './rendered-chart.ts';

const run = promisify(execFile);

/** Which log of one's own. */
export type RekorVersion = 'v1' | 'v2';

const hosts = { v1: 'rekor.golems.internal', v2: 'rekor2.golems.internal' } as const;

/** Ports beside those of the stack, by the chart's values; one replica of each. */
export const ports = {
  server: { port: 13443, replicas: 1 },
  trillian: {
    logServer: { port: 18090, httpPort: 18091, replicas: 1 },
    logSigner: { port: 18092, httpPort: 18093, sequencerInterval: '100ms' },
  },
  index: { port: 16379 },
  tiles: { port: 13000, grpcPort: 13001, metricsPort: 12112, checkpointInterval: '1s', batchMaxAge: '50ms' },
};
const postgresPort = 15432;
const ownSecrets = ['rekor-signing-key', 'rekor-postgresql', 'rekor-redis'];

/**
 * The chart `rekor`, rendered, in a namespace of the real API server, its containers run as processes of this machine
 * with the commands, arguments, environment and files of the rendered manifests.
 */
export class OwnRekor implements AsyncDisposable {
  readonly version: RekorVersion;
  readonly url: string;
  readonly namespace: string;
  readonly folder: string;
  /** PEM bundle: the log's authority, and those of the stack. */
  readonly caBundle: string;
  readonly #api: KubeApi;
  readonly #stack: Stack;
  #objects: readonly ChartObject[] = [];
  #runner: PodRunner | undefined;

  private constructor(
    parts: { readonly api: KubeApi; readonly stack: Stack },
    place: { readonly version: RekorVersion; readonly namespace: string; readonly folder: string },
  ) {
    this.#api = parts.api;
    this.#stack = parts.stack;
    this.version = place.version;
    this.namespace = place.namespace;
    this.folder = place.folder;
    this.caBundle = join(place.folder, 'bundle.pem');
    this.url = `https://${hosts[place.version]}:${ports.server.port}`;
  }

  /** Renders and applies; starts nothing. */
  static async open(
    { api, stack }: { readonly api: KubeApi; readonly stack: Stack },
    version: RekorVersion,
  ): Promise<OwnRekor> {
    const namespace = await createNamespace(api, `rekor-${version}`);
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-rekor-'));
    await makeTls(folder, hosts[version], namespace);
    const bundle = [join(folder, 'ca.pem'), stack.env['SSL_CERT_FILE'] ?? ''];
    const texts = await Promise.all(bundle.map((file) => readFile(file, 'utf8')));
    await writeFile(join(folder, 'bundle.pem'), texts.join('\n'));
    const log = new OwnRekor({ api, stack }, { version, namespace, folder });
    await log.apply();
    return log;
  }

  /** Renders the chart with more values, and applies it, as an upgrade does to a new revision. */
  async apply(more: object = {}): Promise<void> {
    const { version, namespace, folder } = this;
    const values = {
      version,
      hostname: hosts[version],
      tls: { existingSecret: 'rekor-tls' },
      postgresql: { port: postgresPort, binPath: join(postgresProgram('initdb'), '..') },
      ...ports,
      ...more,
    };
    this.#objects = await renderChart(this.#stack, { chart: 'rekor', namespace, values });
    const list = { apiVersion: 'v1', kind: 'List', items: this.#objects };
    await writeFile(join(folder, 'objects.json'), JSON.stringify(list));
    // helm would give the new revision's Job another name.
    await kubectl(['delete', 'job', '--all', '--namespace', namespace]);
    await kubectl(['apply', '--namespace', namespace, '-f', join(folder, 'objects.json')]);
  }

  /** The Pods of the chart; of some components only, where a test says so. */
  pods(...components: readonly string[]): readonly PodPlan[] {
    const all = podsOf(this.#objects);
    return components.length === 0
      ? all
      : all.filter(({ name }) => components.some((one) => name.startsWith(`rekor-${one}`)));
  }

  /** Starts Pods, all of them if none are given, and waits until they are ready and the Jobs through. */
  async start(pods: readonly PodPlan[] = this.pods()): Promise<void> {
    if (this.#runner !== undefined) throw new Error('the log runs already');
    this.#runner = await PodRunner.start(pods, await this.#options());
  }

  /** Runs the setup Job once more beside what runs. */
  async setUpAgain(): Promise<void> {
    const runner = await PodRunner.start(this.pods('setup'), await this.#options());
    await runner[Symbol.asyncDispose]();
  }

  /** Ends every process as Kubernetes would; what the volume claims hold stays. */
  async stop(): Promise<void> {
    await this.#runner?.[Symbol.asyncDispose]();
    this.#runner = undefined;
  }

  /** Takes away what a volume claim holds. */
  async loseVolume(name: string): Promise<void> {
    await rm(join(this.folder, 'pods', 'claims', name), { recursive: true, force: true });
  }

  /** The key in the ConfigMap that the chart publishes, in a file. */
  async publishedKeyFile(): Promise<string> {
    const { 'public-key.pem': key } = await readData('configmap', 'rekor-public-key', this.namespace);
    const file = join(this.folder, 'published.pem');
    await writeFile(file, key ?? '');
    return file;
  }

  /** The Secrets that the setup Job made, in a file: as docs/rekor.md saves them. */
  async saveSecrets(): Promise<string> {
    const namespace = ['--namespace', this.namespace];
    const text = await kubectl(['get', 'secret', ...ownSecrets, ...namespace, '-o', 'yaml']);
    const file = join(this.folder, 'secrets.yaml');
    await writeFile(file, text.replaceAll(/^ *(?:uid|resourceVersion|creationTimestamp): .*\n/gm, ''));
    return file;
  }

  /** Takes them away and brings them back from the file. */
  async restoreSecrets(file: string): Promise<void> {
    const namespace = ['--namespace', this.namespace];
    await kubectl(['delete', 'secret', ...ownSecrets, ...namespace]);
    await kubectl(['apply', ...namespace, '-f', file]);
  }

  /** What PostgreSQL's own tools need to reach its database. */
  async databaseEnvironment(): Promise<Readonly<Record<string, string>>> {
    const { password } = await readData('secret', 'rekor-postgresql', this.namespace);
    return {
      PGHOST: '127.0.0.1',
      PGPORT: String(postgresPort),
      PGUSER: 'trillian',
      PGDATABASE: 'trillian',
      PGPASSWORD: password?.toString('utf8') ?? '',
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await kubectl([
      'delete',
      '--namespace',
      this.namespace,
      '--wait=false',
      '-f',
      join(this.folder, 'objects.json'),
    ]);
    await deleteNamespace(this.#api, this.namespace);
    await rm(this.folder, { recursive: true, force: true });
  }

  async #options(): Promise<PodOptions> {
    const services = this.#objects
      .filter(({ kind }) => kind === 'Service')
      .map(({ metadata }) => metadata.name);
    const folder = join(this.folder, 'pods');
    await mkdir(folder, { recursive: true });
    return {
      namespace: this.namespace,
      folder,
      ca: await readFile(this.#stack.ca, 'utf8'),
      images: images(this.#stack),
      hosts: {
        localhost: '127.0.0.1',
        ...Object.fromEntries(services.map((name) => [name, '127.0.0.1'])),
        'kubernetes.default.svc': '127.0.10.1',
      },
    };
  }
}

/** What the chart's images are on this machine. */
function images({ bin }: Stack): Readonly<Record<string, ImageStandIn>> {
  const program = (name: string): Pick<ImageStandIn, 'programs'> => ({
    programs: { [name]: join(bin, name) },
  });
  return {
    'ghcr.io/sigstore/rekor/rekor-server': { entrypoint: 'rekor-server', ...program('rekor-server') },
    'gcr.io/trillian-opensource-ci/log_server': {
      entrypoint: 'trillian-log-server',
      ...program('trillian-log-server'),
    },
    'gcr.io/trillian-opensource-ci/log_signer': {
      entrypoint: 'trillian-log-signer',
      ...program('trillian-log-signer'),
    },
    // Debian's psql is a script that looks for clusters of its own; the image has the program itself.
    'rekor-tools': { programs: { createtree: join(bin, 'createtree'), psql: postgresProgram('psql') } },
    'docker.io/library/postgres': { userName: 'postgres', stopSignal: 'SIGINT' },
    'docker.io/library/redis': { userName: 'redis' },
    'ghcr.io/sigstore/rekor-tiles/posix': { entrypoint: 'rekor-tiles', ...program('rekor-tiles') },
    'docker.io/nginxinc/nginx-unprivileged': {},
  };
}

/** A private authority, and the log's certificate of it as a Secret. */
async function makeTls(folder: string, host: string, namespace: string): Promise<void> {
  const at = (name: string): string => join(folder, name);
  const common = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-noenc',
    '-days',
    '30',
  ];
  await run('openssl', [...common, '-subj', '/CN=private', '-keyout', at('ca.key'), '-out', at('ca.pem')]);
  const leaf = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-subj', `/CN=${host}`];
  const names = ['-addext', `subjectAltName=DNS:${host}`, '-addext', 'basicConstraints=critical,CA:FALSE'];
  await run('openssl', [...common, ...leaf, ...names, '-keyout', at('tls.key'), '-out', at('tls.crt')]);
  const files = [`--cert=${at('tls.crt')}`, `--key=${at('tls.key')}`];
  await kubectl(['create', 'secret', 'tls', 'rekor-tls', '--namespace', namespace, ...files]);
}
