import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { Child } from '../../support/child.ts';
import { waitFor } from '../../support/waiting.ts';
import { pushImage } from '../../unit/registry/sample-images.ts';
import { cliEnvironment, program, runCli } from './cli.ts';

const imageName = 'harbor.golems.internal/golem-trust/app';

interface RunStatus {
  readonly metadata: { readonly annotations: Readonly<Record<string, string | null>> };
}

describe('chainwright local', () => {
  let sigstore: DevelopmentSigstore;
  let folder = '';
  let digest = '';
  let signing: readonly string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-local-'));
    sigstore = await startDevelopmentSigstore();
    await mkdir(join(folder, 'runs'));
    await writeFile(join(folder, 'token'), await sigstore.issueToken());
    await writeFile(join(folder, 'root.json'), JSON.stringify(sigstore.trustedRoot));
    const store = await openLayoutStore(join(folder, 'store'), systemClock);
    digest = (await pushImage(store, parseRepository(imageName), 'content', 'v1')).digest;
    signing = [
      ...['--taskruns', 'runs', '--store', 'oci-layout:store', '--trusted-root', 'root.json'],
      ...['--fulcio-url', sigstore.fulcioUrl, '--rekor-url', sigstore.rekorUrl],
    ];
    await writeFile(join(folder, 'config.yaml'), withoutSbom);
  });
  afterEach(async () => {
    await sigstore[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  // The image of these tests has no real layer to catalogue.
  const withoutSbom =
    'apiVersion: chainwright.dev/v1alpha1\nkind: ChainwrightConfig\nmetadata: {name: default}\nspec: {sbom: {enabled: false}}\n';

  const taskRun = (name: string, built = digest, verdict = 'True') =>
    JSON.stringify({
      apiVersion: 'tekton.dev/v1',
      kind: 'TaskRun',
      metadata: { name, namespace: 'ci', uid: `uid-of-${name}` },
      status: {
        completionTime: '2026-11-01T08:01:59Z',
        conditions: [{ type: 'Succeeded', status: verdict }],
        results: [
          { name: 'IMAGE_URL', value: `${imageName}:v1` },
          { name: 'IMAGE_DIGEST', value: built },
        ],
      },
    });
  const drop = (name: string, text: string) => writeFile(join(folder, 'runs', name), text);
  const local = (...args: string[]) =>
    runCli(['local', ...signing, '--config', 'config.yaml', ...args], { cwd: folder });
  const statusOf = async (name: string, state = 'runs/.chainwright') =>
    JSON.parse(await readFile(join(folder, state, `runs/ci/${name}.json`), 'utf8')) as RunStatus;
  const entries = async () =>
    (JSON.parse(await readFile(join(folder, 'store/index.json'), 'utf8')) as { manifests: object[] })
      .manifests.length;

  it('signs what is there once, keeps the state beside it, and signs nothing twice', async () => {
    await drop('a.json', taskRun('a'));
    await drop(
      'b.yaml',
      `${taskRun('failed', digest, 'False')}\n---\n${taskRun('running', digest, 'Unknown')}\n`,
    );
    const first = await local('--once', '--identity-token', 'token');
    expect(first.stdout.split('\n').map((line) => line.split(/ {2,}/)[1])).to.deep.equal([
      ...['OUTCOME', 'signed', 'nothing-to-sign', 'left-alone', undefined],
    ]);
    expect(first.code).to.equal(0);
    expect((await statusOf('a')).metadata.annotations).to.include({ 'chains.tekton.dev/signed': 'true' });
    expect((await statusOf('failed')).metadata.annotations).to.include({
      'chainwright.dev/result': 'nothing-to-sign',
    });
    const written = await entries();
    expect(written).to.equal(1 + 2 + 2);
    const second = await local('--once', '--identity-token', await sigstore.issueToken());
    expect({ stdout: second.stdout, entries: await entries() }).to.deep.equal({
      stdout: first.stdout,
      entries: written,
    });
  });

  it('ends with 1 for an image that is not there and a file that cannot be read, and signs the rest', async () => {
    await drop('a.json', taskRun('a'));
    await drop('absent.json', taskRun('absent', `sha256:${'0'.repeat(64)}`));
    await drop('broken.yaml', 'kind: [');
    const { code, stdout } = await local('--once', '--identity-token', 'token', '--state', 'kept');
    expect(code).to.equal(1);
    expect(stdout).to.match(/^ci\/a +signed/m);
    expect(stdout).to.match(/^ci\/absent +failed +ERR_SUBJECT_ABSENT/m);
    expect(stdout).to.match(/broken\.yaml +unreadable +ERR_USAGE_TASKRUNS/);
    expect((await statusOf('absent', 'kept')).metadata.annotations['chainwright.dev/error']).to.match(
      /^ERR_SUBJECT_ABSENT/,
    );
  });

  it('ends with 3 where a server is away, says why on the run, and signs it when it is back', async () => {
    await drop('a.json', taskRun('a'));
    const { code, stdout } = await local(
      '--once',
      '--identity-token',
      'token',
      '--fulcio-url',
      'http://127.0.0.1:1',
    );
    expect({ code, outcome: stdout.split('\n')[1]?.split(/ {2,}/)[1] }).to.deep.equal({
      code: 3,
      outcome: 'failed',
    });
    expect((await statusOf('a')).metadata.annotations['chainwright.dev/error']).to.match(/^ERR_/);
    expect((await local('--once', '--identity-token', 'token')).code).to.equal(0);
    expect((await statusOf('a')).metadata.annotations).not.to.have.property('chainwright.dev/error');
  });

  it('signs with a private key, its password in COSIGN_PASSWORD or none', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await drop('a.json', taskRun('a'));
    expect((await local('--once', '--key', 'key.pem')).code).to.equal(0);
    expect((await local('--once', '--key', 'key.pem', '--identity-token', 'token')).code).to.equal(2);
  });

  it('watches: takes what is dropped, renamed into place or written slowly, and ends cleanly on SIGTERM', async () => {
    const child = await Child.start({
      name: 'chainwright local',
      file: '/bin/sh',
      args: [
        '-c',
        `cd "$0" && exec "$@"`,
        folder,
        program,
        'local',
        ...signing,
        '--config',
        'config.yaml',
        '--identity-token',
        'token',
        '--log-level',
        'debug',
      ],
      env: cliEnvironment(folder),
      logFile: join(folder, 'log'),
    });
    const signed = (name: string) =>
      waitFor(
        async () =>
          (await statusOf(name)).metadata.annotations['chains.tekton.dev/signed'] === 'true'
            ? true
            : undefined,
        { what: `${name} being signed`, timeoutMs: 60_000 },
      );
    await drop('a.json', taskRun('a'));
    await signed('a');
    await drop('.b.json', taskRun('b'));
    await rename(join(folder, 'runs/.b.json'), join(folder, 'runs/b.json'));
    await signed('b');
    const text = taskRun('c');
    await drop('c.json', text.slice(0, 100));
    await waitFor(
      async () => (await readFile(join(folder, 'log'), 'utf8')).includes('a file is read again') || undefined,
      { what: 'the half written file being tried', timeoutMs: 60_000 },
    );
    await drop('c.json', text);
    await signed('c');
    expect(await child.stop()).to.equal(0);
    expect(await readFile(join(folder, 'log'), 'utf8')).to.include('"message":"stopped"');
  });

  for (const [what, args] of [
    ['no folder of that name', ['--taskruns', 'none']],
    ['a store that is none', ['--store', 'https://harbor.golems.internal']],
    ['an unknown flag', ['--unknown']],
    ['a flag that is neither true nor false', ['--tlog-upload', 'perhaps']],
  ] as const) {
    it(`ends with 2 for ${what}`, async () => {
      const { code, stdout } = await local('--once', '--identity-token', 'token', ...args);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    });
  }
});
