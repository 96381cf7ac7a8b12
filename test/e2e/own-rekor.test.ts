import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { Agent, request } from 'undici';
import { postgresProgram } from '../../hack/stack/packages.ts';
import { identityToken } from '../../hack/stack/stack.ts';
import { runCli } from '../integration/commands/cli.ts';
import type { CliOutcome } from '../integration/commands/cli.ts';
import { pushImage } from '../support/images.ts';
import { pipelineIdentity } from '../support/judges.ts';
import type { Judgement } from '../support/judges.ts';
import { OwnRekor, ports } from '../support/pods/own-rekor.ts';
import type { RekorVersion } from '../support/pods/own-rekor.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

const start = 'start-time=2020-01-01T00:00:00Z';
const run = promisify(execFile);

/** What the tests of both versions do with a log of one's own. */
class Desk {
  readonly scene: Scene;
  readonly log: OwnRekor;

  constructor(scene: Scene, log: OwnRekor) {
    this.scene = scene;
    this.log = log;
  }

  static async open(version: RekorVersion): Promise<Desk> {
    const scene = await openScene();
    try {
      const log = await OwnRekor.open(scene, version);
      const desk = new Desk(scene, log);
      await log.start().catch(async (error: unknown) => {
        await desk.close();
        throw error;
      });
      return desk;
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.log[Symbol.asyncDispose]();
    await this.scene[Symbol.asyncDispose]();
  }

  /** Our command, as somebody calls it who was only told the log's address and its private authority. */
  async ours(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliOutcome> {
    const outcome = await runCli(args, { cwd: this.log.folder, env: { ...this.environment(), ...env } });
    expect(outcome.code, outcome.stderr + outcome.stdout).to.equal(0);
    return outcome;
  }

  environment(): Readonly<Record<string, string>> {
    const { env, fulcioUrl } = this.scene.stack;
    return {
      SSL_CERT_FILE: this.log.caBundle,
      DOCKER_CONFIG: env['DOCKER_CONFIG'] ?? '',
      COSIGN_FULCIO_URL: fulcioUrl,
    };
  }

  path(name: string): string {
    return join(this.log.folder, name);
  }

  newImage(): ReturnType<typeof pushImage> {
    return pushImage(this.scene.registry, `${this.scene.stack.registry}/own-rekor`);
  }

  /** A trust root of the stack's Fulcio and certificate log, and these. */
  async trustRoot(name: string, ...services: readonly string[]): Promise<string> {
    const { env, fulcioUrl } = this.scene.stack;
    await this.ours([
      ...['trust-root', 'create', '--out', this.path(name)],
      `--fulcio=url=${fulcioUrl},certificate-chain=${env['STACK_FULCIO_ROOT'] ?? ''},${start}`,
      `--ctfe=url=${env['STACK_CTLOG_URL'] ?? ''},public-key=${env['STACK_CTLOG_PUBLIC_KEY'] ?? ''},${start}`,
      ...services,
    ]);
    return this.path(name);
  }

  async sign(ref: string, trustedRoot: string, env: Readonly<Record<string, string>>): Promise<void> {
    const token = ['--identity-token', await identityToken(), '--oidc-issuer', this.scene.stack.issuer];
    await this.ours(['sign', ...token, '--trusted-root', trustedRoot, ref], env);
  }

  /** The real cosign, which reads what lies beside the image and asks no log. */
  async cosignVerifies(ref: string, trustedRoot: string, flags: readonly string[] = []): Promise<Judgement> {
    const { stack, judges } = this.scene;
    const identity = [
      '--certificate-identity-regexp',
      pipelineIdentity,
      '--certificate-oidc-issuer',
      stack.issuer,
    ];
    return judges.cosign(['verify', ...identity, '--trusted-root', trustedRoot, ...flags, ref]);
  }

  async expectVerified(ref: string, trustedRoot: string, flags: readonly string[] = []): Promise<void> {
    const { code, stderr } = await this.cosignVerifies(ref, trustedRoot, flags);
    expect(code, stderr).to.equal(0);
  }

  /** What anybody reads over HTTPS who trusts the private authority. */
  async fetch(path: string): Promise<string> {
    const agent = new Agent({ connect: { ca: await readFile(this.log.caBundle) } });
    try {
      const { statusCode, body } = await request(`${this.log.url}/${path}`, { dispatcher: agent });
      expect(statusCode).to.equal(200);
      return await body.text();
    } finally {
      await agent.destroy();
    }
  }
}

describe('charts/rekor, its rendered containers run as processes', function () {
  this.timeout(400_000);

  describe('Rekor v1: Trillian on PostgreSQL', () => {
    let desk: Desk;
    let trustedRoot: string;
    let ref: string;
    const own = (): Readonly<Record<string, string>> => ({ COSIGN_REKOR_URL: desk.log.url });
    const treeId = async (): Promise<string> =>
      (JSON.parse(await desk.fetch('api/v1/log')) as { treeID: string }).treeID;

    before(async () => {
      desk = await Desk.open('v1');
      const key = await desk.log.publishedKeyFile();
      trustedRoot = await desk.trustRoot(
        'own.json',
        `--rekor=url=${desk.log.url},public-key=${key},${start}`,
      );
      ({ ref } = await desk.newImage());
      await desk.sign(ref, trustedRoot, own());
    });
    after(() => desk.close());

    it('publishes one key, in the ConfigMap and over HTTPS with the given certificate', async () => {
      const published = await readFile(await desk.log.publishedKeyFile(), 'utf8');
      expect(await desk.fetch('api/v1/log/publicKey')).to.equal(published);
      const { stdout } = await desk.ours(['trust-root', 'verify', trustedRoot, '--online']);
      expect(stdout).to.match(/: good\n/);
    });

    it('finds by its index what was logged', async () => {
      const search = ['log', 'search', ref, '--trusted-root', trustedRoot, '-o', 'json'];
      // Rekor v1 puts an entry into its search index a moment after it took it.
      const found = await waitFor(
        async () => {
          const { stdout } = await desk.ours(search, own());
          const entries = JSON.parse(stdout) as readonly { logIndex: number }[];
          return entries.length > 1 ? entries : undefined;
        },
        { what: 'the entries being found', timeoutMs: 30_000 },
      );
      expect(found.map(({ logIndex }) => logIndex)).to.deep.equal([0, 1]);
      const rekorCli = await run(
        join(desk.scene.stack.bin, 'rekor-cli'),
        ['get', '--log-index', '0', '--rekor_server', desk.log.url],
        { env: { HOME: desk.log.folder, SSL_CERT_FILE: desk.log.caBundle } },
      );
      expect(rekorCli.stdout).to.include('LogID');
    });

    it('makes no second tree and no second key when it is set up again, and goes on after a restart', async () => {
      const [tree, key] = [await treeId(), await readFile(await desk.log.publishedKeyFile(), 'utf8')];
      await desk.log.setUpAgain();
      await desk.log.stop();
      await desk.log.start();
      expect(await treeId()).to.equal(tree);
      expect(await readFile(await desk.log.publishedKeyFile(), 'utf8')).to.equal(key);
      const after = await desk.newImage();
      await desk.sign(after.ref, trustedRoot, own());
      await desk.expectVerified(after.ref, trustedRoot);
    });

    it('comes back from a backup of its database with the same tree and entries', async () => {
      const env = await desk.log.databaseEnvironment();
      const dump = desk.path('rekor.dump');
      const before = await desk.fetch('api/v1/log');
      await run(postgresProgram('pg_dump'), ['--format=custom', '--file', dump], { env });
      const secrets = await desk.log.saveSecrets();
      await desk.log.stop();
      await desk.log.loseVolume('rekor-postgresql-data');
      await desk.log.restoreSecrets(secrets);
      await desk.log.start();
      const tree = await treeId();
      await desk.log.stop();
      await desk.log.start(desk.log.pods('postgresql'));
      const restore = ['--clean', '--if-exists', '--create', '--exit-on-error', '--dbname', 'postgres', dump];
      await run(postgresProgram('pg_restore'), restore, { env });
      await desk.log.stop();
      await desk.log.start();
      type Log = { readonly treeID: string; readonly treeSize: number; readonly rootHash: string };
      const [old, now] = [before, await desk.fetch('api/v1/log')].map((text) => JSON.parse(text) as Log);
      expect(now?.treeID).not.to.equal(tree);
      expect(now).to.deep.include({ treeID: old?.treeID, treeSize: old?.treeSize, rootHash: old?.rootHash });
      await desk.ours(['log', 'get', '--log-index', '0', '--trusted-root', trustedRoot], own());
    });

    it('takes over from another log: the controller is moved by COSIGN_REKOR_URL, old and new entries verify', async () => {
      const { scene, log } = desk;
      const { stack } = scene;
      const before = `--rekor=url=${stack.rekorUrl},public-key=${stack.env['STACK_REKOR_PUBLIC_KEY'] ?? ''},${start}`;
      const oldRoot = await desk.trustRoot('old.json', before);
      const old = await desk.newImage();
      await desk.sign(old.ref, oldRoot, { COSIGN_REKOR_URL: stack.rekorUrl });
      const both = desk.path('both.json');
      const joining = `--rekor=url=${log.url},public-key=${await log.publishedKeyFile()}`;
      await desk.ours(['trust-root', 'add', oldRoot, joining, '--out', both]);
      const namespace = await scene.namespace('own-rekor');
      await scene.controller([namespace], {
        env: { COSIGN_REKOR_URL: log.url, SSL_CERT_FILE: log.caBundle },
        settings: { trustedRoot: { file: both } },
      });
      const built = await desk.newImage();
      await createCompletedRun(scene.api, { namespace, name: 'build', results: imageResults(built) });
      const { transparency } = await waitUntilSigned(scene.api, { namespace, name: 'build' }, 60_000);
      expect(transparency).to.match(new RegExp(`^${log.url}/`));
      for (const image of [old, built]) {
        await desk.expectVerified(image.ref, both);
        await desk.expectVerified(image.ref, both, ['--new-bundle-format=false']);
        await desk.ours(['verify', ...signer(stack.issuer), '--trusted-root', both, image.ref]);
      }
      const ended = desk.path('ended.json');
      const replacing = ['--replaces', stack.rekorUrl, '--overlap', '0s', '--out', ended];
      await desk.ours(['trust-root', 'add', oldRoot, joining, ...replacing]);
      await desk.expectVerified(old.ref, ended);
      const search = ['log', 'search', old.ref, '--rekor-url', stack.rekorUrl, '--trusted-root', ended];
      expect((await desk.ours(search)).stdout).to.include('hashedrekord');
      expect((await desk.cosignVerifies(built.ref, oldRoot)).code).not.to.equal(0);
      expect((await desk.cosignVerifies(old.ref, trustedRoot)).code).not.to.equal(0);
      const strange = ['verify', ...signer(stack.issuer), '--trusted-root', trustedRoot, old.ref];
      expect((await runCli(strange, { cwd: log.folder, env: desk.environment() })).code).to.equal(1);
    });

    it('goes on in a new tree, and keeps the entries of the one before', async () => {
      const tree = await treeId();
      const { treeSize } = JSON.parse(await desk.fetch('api/v1/log')) as { readonly treeSize: number };
      await desk.log.stop();
      await desk.log.apply({
        trillian: { ...ports.trillian, treeName: 'second' },
        server: { ...ports.server, inactiveShards: [{ treeID: tree }] },
      });
      await desk.log.start();
      const log = JSON.parse(await desk.fetch('api/v1/log')) as Record<string, unknown>;
      expect(log).to.deep.include({ treeSize: 0 }).and.have.nested.property('inactiveShards[0].treeID', tree);
      const image = await desk.newImage();
      await desk.sign(image.ref, trustedRoot, own());
      await desk.expectVerified(image.ref, trustedRoot);
      for (const index of [0, treeSize]) {
        await desk.ours(['log', 'get', '--log-index', String(index), '--trusted-root', trustedRoot], own());
      }
    });

    it('is not needed for verifying: cosign has all that it takes when the log is gone', async () => {
      await desk.log.stop();
      await desk.expectVerified(ref, trustedRoot);
      await desk.expectVerified(ref, trustedRoot, ['--new-bundle-format=false']);
      const certificate = new X509Certificate(await readFile(desk.path('tls.crt')));
      expect(certificate.checkHost('rekor.golems.internal')).to.equal('rekor.golems.internal');
    });
  });

  describe('Rekor v2: tiles in a folder, read through nginx', () => {
    let desk: Desk;
    let trustedRoot: string;
    let config: string;

    before(async () => {
      desk = await Desk.open('v2');
      const { stack } = desk.scene;
      const key = await desk.log.publishedKeyFile();
      const rekor = `--rekor=url=${desk.log.url},public-key=${key},origin=rekor2.golems.internal,${start}`;
      const tsaUrl = stack.tsaUrl.replace('/api/v1/timestamp', '');
      const tsa = `--tsa=url=${tsaUrl},certificate-chain=${stack.env['STACK_TSA_CHAIN'] ?? ''},${start}`;
      trustedRoot = await desk.trustRoot('own.json', rekor, tsa);
      config = desk.path('signing.json');
      await desk.ours([
        'trust-root',
        'create',
        `--fulcio=url=${stack.fulcioUrl}`,
        rekor,
        tsa,
        '--signing-config',
        config,
      ]);
    });
    after(() => desk.close());

    it('publishes one key, and signs its checkpoint with it', async () => {
      const published = await readFile(await desk.log.publishedKeyFile(), 'utf8');
      expect(await desk.fetch('public-key.pem')).to.equal(published);
      expect(await desk.fetch('api/v2/checkpoint')).to.match(/^rekor2\.golems\.internal\n/);
      const { stdout } = await desk.ours(['trust-root', 'verify', trustedRoot, '--online']);
      expect(stdout).to.match(/: good\n/);
    });

    it('takes entries from cosign, before and after a restart, and is not needed for verifying', async () => {
      const token = desk.path('token');
      const images = [await desk.newImage(), await desk.newImage()];
      for (const [index, { ref }] of images.entries()) {
        if (index === 1) {
          await desk.log.stop();
          await desk.log.start();
          await desk.log.setUpAgain();
        }
        await writeFile(token, await identityToken());
        const args = ['--identity-token', token, '--trusted-root', trustedRoot, '--signing-config', config];
        const env = { SSL_CERT_FILE: desk.log.caBundle };
        const signed = await desk.scene.judges.cosign(['sign', '--yes', ...args, ref], env);
        expect(signed.code, signed.stderr).to.equal(0);
      }
      expect(await desk.fetch('api/v2/checkpoint')).to.match(/^rekor2\.golems\.internal\n2\n/);
      expect(await desk.fetch('api/v2/tile/entries/000.p/2')).to.have.length.above(100);
      await desk.log.stop();
      for (const { ref } of images) {
        await desk.expectVerified(ref, trustedRoot);
        await desk.ours(['verify', ...signer(desk.scene.stack.issuer), '--trusted-root', trustedRoot, ref]);
      }
    });
  });
});

function signer(issuer: string): readonly string[] {
  return ['--certificate-identity-regexp', pipelineIdentity, '--certificate-oidc-issuer', issuer];
}
