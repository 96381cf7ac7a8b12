import { X509Certificate, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { request } from 'undici';
import { identityToken, kubectl, startServer, stopServer } from '../../../hack/stack/stack.ts';
import { runCli } from '../../integration/commands/cli.ts';
import type { CliOutcome } from '../../integration/commands/cli.ts';
import { completeEvidence } from '../../support/attached-evidence.ts';
import { BuildHistory } from '../../support/build-history.ts';
import { ChainsProcess } from '../../support/chains-process.ts';
import {
  chainsConfigPath,
  installChains,
  removeChains,
  writeChainsConfig,
} from '../../support/chains-release.ts';
import type { ControllerProcess } from '../../support/controller-process.ts';
import { runDocumented } from '../../support/documented-commands.ts';
import { freePort } from '../../support/free-port.ts';
import { settingsPath, waitForReady } from '../../support/live-settings.ts';
import { listRecords } from '../../support/logged-entries.ts';
import { openStackOverlay } from '../../support/pods/stack-overlay.ts';
import type { StackOverlay } from '../../support/pods/stack-overlay.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { countLogEntries } from '../../support/signed-run.ts';
import type { SeenRun } from '../../support/signed-run.ts';
import { TektonCli } from '../../support/tekton-cli.ts';
import { waitFor } from '../../support/waiting.ts';

const section = 'From Tekton Chains in an afternoon';
const numbered = (stem: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${stem}-${at + 1}`);

/** Signed by Chains in peace. */
const settled = ['slsa-v1', ...numbered('signed', 3), 'two-images', 'unit-tests'];
/** In work when Chains is killed. */
const burst = numbered('burst', 8);
/** Held by Chains, and still running when it ends. */
const running = numbered('running', 3);
/** Completed while nobody watches. */
const late = numbered('late', 2);

interface Shown {
  readonly fields: readonly { readonly field: string; readonly value: string }[];
}

describe('runs of a cluster on which Tekton Chains worked until today', () => {
  let scene: Scene;
  let overlay: StackOverlay;
  let tkn: TektonCli;
  let builds: BuildHistory;
  let folder: string;
  let config: Readonly<Record<string, string>>;
  let controller: ControllerProcess;
  let adopted: readonly string[];
  let unfinished: readonly string[];
  let entriesBefore: number;
  const asChainsLeft = new Map<string, SeenRun>();
  const printedByTkn = new Map<string, readonly string[]>();

  before(async () => {
    scene = await openScene();
    await scene.api.delete(settingsPath);
    tkn = await TektonCli.open(scene);
    await installChains();
    await kubectl(['apply', '--server-side', '-f', 'config/monitor/namespace.yaml']);
    const port = await freePort();
    overlay = await openStackOverlay({ stack: scene.stack, name: 'switch-over', port, hasSettings: false });
    folder = await mkdtemp(join(tmpdir(), 'chainwright-switch-'));
    config = await usersConfig();
    builds = new BuildHistory(scene, await scene.namespace('switched'));
    await letChainsWork();
    await takeStock();
  }).timeout(420_000);

  after(async () => {
    await scene.api.delete(settingsPath);
    await scene[Symbol.asyncDispose]();
    await runDocumented(scene.stack, 'Uninstall', overlay.folder);
    await removeChains();
    await overlay[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  }).timeout(120_000);

  /** A `chains-config` as it grew over the years. */
  async function usersConfig(): Promise<Readonly<Record<string, string>>> {
    const { fulcioUrl, rekorUrl, issuer } = scene.stack;
    const tokenFile = join(folder, 'oidc-token');
    // As a projected volume has it: no newline at its end.
    await writeFile(tokenFile, await identityToken(), { mode: 0o600 });
    return {
      'artifacts.taskrun.format': 'slsa/v1',
      'artifacts.taskrun.storage': 'tekton, oci',
      'artifacts.taskrun.signer': 'x509',
      'artifacts.oci.format': 'simplesigning',
      'artifacts.oci.storage': 'oci',
      'artifacts.oci.signer': 'x509',
      'artifacts.pipelinerun.storage': 'oci',
      'artifacts.pipelinerun.enable-deep-inspection': 'yes',
      'artifacts.taskruns.storage': 'gcs',
      'storage.oci.repository.insecure': 'no',
      'builder.id': 'https://tekton.golems.internal/chains/v2',
      'signers.x509.fulcio.enabled': 'true',
      'signers.x509.fulcio.address': fulcioUrl,
      'signers.x509.fulcio.issuer': issuer,
      'signers.x509.fulcio.provider': 'filesystem',
      'signers.x509.identity.token.file': tokenFile,
      'transparency.enabled': 'true',
      'transparency.url': rekorUrl,
    };
  }

  async function letChainsWork(): Promise<void> {
    const { api, stack } = scene;
    // For a time its users had SLSA v1.
    await writeChainsConfig(api, { ...config, 'artifacts.taskrun.format': 'slsa/v2alpha4' });
    {
      await using chains = await ChainsProcess.startInstalled({ stack });
      await builds.build('slsa-v1');
      await builds.waitUntilMarked(['slsa-v1']);
      await chains.stop();
    }
    await writeChainsConfig(api, config);
    await using chains = await ChainsProcess.startInstalled({ stack });
    for (const name of [...numbered('signed', 3), 'signed-pruned']) await builds.build(name);
    await builds.build('two-images', 2);
    await builds.build('unit-tests', 0);
    await builds.waitUntilMarked([...settled, 'signed-pruned']);
    const held = [...running, 'aborted', 'pruned', 'hollow', 'given-up', ...burst];
    for (const name of held) await builds.start(name);
    await builds.waitUntilHeld(held);
    await without('fulcio', async () => {
      await builds.complete('hollow');
      await builds.waitUntilMarked(['hollow']);
    });
    await without('harbor', async () => {
      await builds.complete('given-up');
      await builds.waitUntilMarked(['given-up'], 'failed');
    });
    await Promise.all(burst.map((name) => builds.complete(name)));
    await waitFor(async () => ((await marked(burst)).length > 0 ? true : undefined), {
      ...{ what: 'the first of the burst being signed', timeoutMs: 30_000, pollMs: 10 },
    });
    await chains.kill();
  }

  async function without(server: string, work: () => Promise<void>): Promise<void> {
    await stopServer(server);
    try {
      await work();
    } finally {
      await startServer(server);
    }
  }

  async function marked(names: readonly string[]): Promise<readonly string[]> {
    const runs = await Promise.all(names.map((name) => builds.find(name)));
    return runs
      .filter((run) => run?.metadata.annotations?.['chains.tekton.dev/signed'] === 'true')
      .map((run) => run?.metadata.name ?? '');
  }

  /** What happens while Chains is down, and what there is to see of its work. */
  async function takeStock(): Promise<void> {
    for (const name of late) await builds.build(name);
    await builds.complete('pruned');
    for (const name of ['pruned', 'signed-pruned', 'aborted']) {
      await builds.delete(name);
      expect(await builds.isHeld(name), name).to.equal(true);
    }
    const finished = await marked(burst);
    adopted = [...settled, ...finished];
    unfinished = [...burst.filter((name) => !finished.includes(name)), ...late, 'hollow', 'given-up'];
    expect(unfinished.length).to.be.greaterThan(4);
    for (const name of [...adopted, 'hollow', 'given-up', 'signed-pruned'])
      asChainsLeft.set(name, await builds.see(name));
    for (const name of adopted) printedByTkn.set(name, await askTkn(name));
    entriesBefore = await countLogEntries(scene.stack);
  }

  async function askTkn(name: string): Promise<readonly string[]> {
    const run = { namespace: builds.namespace, name };
    return [await tkn.payload(run), await tkn.signature(run)];
  }

  function settings(...args: readonly string[]): Promise<CliOutcome> {
    return runCli(['settings', ...args], { cwd: folder, env: { KUBECONFIG: scene.stack.kubeconfig } });
  }

  async function shown(...args: readonly string[]): Promise<readonly string[]> {
    const { code, stdout, stderr } = await settings('show', '--all', '--output', 'json', ...args);
    expect(code, stderr).to.equal(0);
    return (JSON.parse(stdout) as Shown).fields.map(({ field, value }) => `${field} = ${value}`);
  }

  /** Both judges, for each image of a run. */
  async function judge(name: string, type = 'slsaprovenance'): Promise<void> {
    for (const { ref } of builds.imagesOf(name)) {
      const { stack, judges } = scene;
      // Chains attaches no log entry to an image signature, so that cosign has to ask the log for it.
      const signature = await judges.verify(ref, {}, ['--rekor-url', stack.rekorUrl]);
      expect(signature.code, `${name}: ${signature.stderr}`).to.equal(0);
      const provenance = await judges.verifyAttestation(ref, type);
      expect(provenance.code, `${name}: ${provenance.stderr}`).to.equal(0);
    }
  }

  const typeOf = (name: string): string => (name === 'slsa-v1' ? 'slsaprovenance1' : 'slsaprovenance');

  it('were left by Chains as we think: signed, in work, given up, marked with nothing behind it', () => {
    for (const name of adopted.filter((one) => one !== 'unit-tests')) {
      const { evidence, entries } = asChainsLeft.get(name) ?? { evidence: [], entries: [] };
      const count = builds.imagesOf(name).length;
      expect(evidence, name).to.have.length(2 * count);
      expect(entries, name).to.have.length(1 + count);
    }
    expect(asChainsLeft.get('hollow')).to.deep.include({ evidence: [], entries: [] });
    expect(asChainsLeft.get('given-up')?.annotations).to.include({
      'chains.tekton.dev/signed': 'failed',
      'chains.tekton.dev/retries': '3',
    });
    // Five tries, each with an entry of its own; more where what Chains remembers of the run is old.
    expect(asChainsLeft.get('given-up')?.entries).to.have.length.of.at.least(5);
  });

  it('are judged beforehand: the log and both judges take what Chains signed', async () => {
    for (const name of adopted) await judge(name, typeOf(name));
  }).timeout(120_000);

  it('meet a controller that takes chains-config as it is, and names what stands there in vain', async () => {
    const { code, stdout } = await settings('convert', '--cluster');
    expect(code).to.equal(0);
    const remarks = [
      /^artifacts\.taskruns\.storage: is no key that Chains knows/,
      /^storage\.oci\.repository\.insecure: "no" is no boolean/,
      /^artifacts\.pipelinerun\.enable-deep-inspection: "yes" is no boolean/,
      /^artifacts\.pipelinerun\.storage: PipelineRuns are not signed yet/,
    ];
    const comments = stdout.split('\n').filter((line) => line.startsWith('# '));
    expect(comments).to.have.length(remarks.length);
    for (const remark of remarks)
      expect(comments.join('\n')).to.match(new RegExp(remark.source.replace('^', '^# '), 'm'));
    const converted = join(folder, 'converted.yaml');
    await writeFile(converted, stdout);
    expect(await shown('--config', converted)).to.deep.equal(await shown('--cluster'));

    await runDocumented(scene.stack, section, overlay.folder);
    const env = { COSIGN_TRUSTED_ROOT: scene.stack.trustedRoot };
    controller = await scene.controller([], { source: 'cluster', env });
    const log = await readFile(controller.logFile, 'utf8');
    for (const remark of remarks) {
      const [key = ''] = remark.source.slice(1).replaceAll('\\', '').split(':');
      expect(log).to.include(`"name":"${key}"`);
    }
  }).timeout(120_000);

  it('are left alone where Chains had signed them', async () => {
    await builds.waitUntilHeld(adopted, false);
    const records = await listRecords(scene.api, builds.namespace);
    for (const name of adopted) {
      expect(await builds.see(name), name).to.deep.equal(asChainsLeft.get(name));
      const record = records.find(({ spec }) => spec.run.name === name);
      expect(record?.spec, name).to.deep.include({ phase: 'Complete', artifacts: [] });
      await judge(name, typeOf(name));
    }
  }).timeout(180_000);

  it('are signed where they were not: unfinished, never seen, marked in vain, given up', async () => {
    for (const name of unfinished) {
      await builds.waitUntilMarked([name]);
      await builds.waitUntilHeld([name], false);
      const { annotations, evidence } = await builds.see(name);
      expect(annotations, name).to.have.property('chainwright.dev/log-entries');
      expect(annotations, name).to.not.have.any.keys('chains.tekton.dev/retries', 'chainwright.dev/error');
      const kinds = evidence.map((piece) => piece.split(' ').slice(0, 2).join(' '));
      expect(kinds, name).to.include.members([...completeEvidence.both]);
      await judge(name);
    }
  }).timeout(180_000);

  it('are let go where they were deleted under Chains: unsigned ones once they are signed', async () => {
    for (const name of ['pruned', 'signed-pruned', 'aborted']) {
      await waitFor(async () => ((await builds.find(name)) === undefined ? true : undefined), {
        ...{ what: `${name} being gone`, timeoutMs: 30_000 },
      });
    }
    await judge('pruned');
    await judge('signed-pruned');
  }).timeout(120_000);

  it('are signed once they complete, where they still ran', async () => {
    for (const name of running.slice(0, 2)) {
      expect(await builds.isHeld(name), name).to.equal(true);
      await builds.complete(name);
      await builds.waitUntilMarked([name]);
      await judge(name);
    }
    unfinished = [...unfinished, ...running.slice(0, 2)];
  }).timeout(60_000);

  it('left no entry in the log that no record tells of, and none twice', async () => {
    const records = await listRecords(scene.api, builds.namespace);
    const listed = records.flatMap(({ spec: { artifacts } }) =>
      artifacts.flatMap(({ entry, furtherEntries = [] }) => [entry, ...furtherEntries]),
    );
    const indices = listed.map((entry) => entry?.logIndex);
    expect(new Set(indices).size).to.equal(indices.length);
    const entriesAfter = await countLogEntries(scene.stack);
    // Beside those that completed there is the one that was pruned.
    expect(indices).to.have.length(4 * (unfinished.length + 1));
    expect(entriesAfter - entriesBefore).to.equal(indices.length);
    console.log(
      `      ${adopted.length} left alone, ${unfinished.length + 1} signed, 3 let go; ` +
        `log: ${entriesBefore} entries before, ${entriesAfter} after`,
    );
  }).timeout(60_000);

  it('are as readable to tkn chain and by their annotations as ever', async () => {
    for (const name of adopted) expect(await askTkn(name), name).to.deep.equal(printedByTkn.get(name));
    for (const name of unfinished) {
      const [payload = '', signature = ''] = await askTkn(name);
      const { annotations = {}, uid = '' } = (await builds.find(name))?.metadata ?? {};
      const { subject } = JSON.parse(payload) as { subject: { digest: { sha256: string } }[] };
      const digests = builds.imagesOf(name).map(({ digest }) => digest.replace('sha256:', ''));
      expect(subject.map(({ digest }) => digest.sha256)).to.deep.equal(digests);
      const cert = Buffer.from(annotations[`chains.tekton.dev/cert-taskrun-${uid}`] ?? '', 'base64');
      expect(isSignedBy(signature.trim().slice(1, -1), payload.trim(), cert), name).to.equal(true);
      const { statusCode, body } = await request(annotations['chains.tekton.dev/transparency'] ?? '');
      expect(statusCode, name).to.equal(200);
      expect(Object.keys((await body.json()) as object)).to.have.length(1);
    }
  }).timeout(120_000);

  it('are left alone by a controller that starts again', async () => {
    const before = await countLogEntries(scene.stack);
    const versions = async (): Promise<readonly unknown[]> =>
      Promise.all(
        [...adopted, ...unfinished].map(async (name) => (await builds.find(name))?.metadata.resourceVersion),
      );
    const versionsBefore = await versions();
    await controller.stop();
    await controller.resume();
    await builds.build('after-restart');
    await builds.waitUntilMarked(['after-restart']);
    expect(await versions()).to.deep.equal(versionsBefore);
    expect((await countLogEntries(scene.stack)) - before).to.equal(4);
  }).timeout(60_000);

  it('are signed alike by the object that convert printed, without chains-config', async () => {
    await writeChainsConfig(scene.api, {});
    await kubectl(['apply', '--server-side', '-f', join(folder, 'converted.yaml')]);
    const { object } = await waitForReady(scene.api, settingsPath, 'True InForce');
    expect(object.status?.inForce?.chainsConfig).to.deep.equal([]);
    const summary = async (name: string): Promise<readonly string[]> => {
      const { annotations, evidence } = await builds.see(name);
      const { uid = '' } = (await builds.find(name))?.metadata ?? {};
      const kinds = evidence.map((piece) => piece.split(' ').slice(0, 2).join(' '));
      return [...Object.keys(annotations).map((key) => key.replace(uid, 'UID')), ...kinds].sort();
    };
    await builds.build('by-object');
    await builds.waitUntilMarked(['by-object']);
    expect(await summary('by-object')).to.deep.equal(await summary('after-restart'));
    await scene.api.delete(settingsPath);
    await writeChainsConfig(scene.api, config);
  }).timeout(60_000);

  it('are believed by Chains on the way back, and not held for ever', async () => {
    const ours = ['after-restart', 'by-object', ...unfinished];
    const all = [...adopted, ...ours];
    await builds.waitUntilHeld(['running-3']);
    await controller.stop();
    await runDocumented(scene.stack, section, overlay.folder, 'ServiceAccount');
    await installChains();
    expect((await scene.api.get<{ data: unknown }>(chainsConfigPath)).data).to.deep.equal(config);
    const seen = new Map<string, SeenRun>();
    for (const name of all) seen.set(name, await builds.see(name));
    const before = await countLogEntries(scene.stack);

    await using chains = await ChainsProcess.startInstalled({ stack: scene.stack });
    // It puts its finalizer on what it has looked at.
    await builds.waitUntilHeld(all);
    await builds.complete('running-3');
    await builds.build('back');
    await builds.waitUntilMarked(['running-3', 'back']);
    for (const name of all) expect(await builds.see(name), name).to.deep.equal(seen.get(name));
    // Chains signs and logs one image signature and one statement for each.
    expect((await countLogEntries(scene.stack)) - before).to.equal(2 * 2);
    for (const name of ['running-3', 'back']) await judge(name);
    for (const name of [...all, 'running-3', 'back']) await builds.delete(name);
    for (const name of [...all, 'running-3', 'back']) {
      await waitFor(async () => ((await builds.find(name)) === undefined ? true : undefined), {
        ...{ what: `${name} being gone under Chains`, timeoutMs: 60_000 },
      });
    }
    await chains.stop();
  }).timeout(300_000);
});

/** What a reader of the annotations does, who knows no library of ours. */
function isSignedBy(envelopeText: string, payload: string, certificate: Buffer): boolean {
  const envelope = JSON.parse(envelopeText) as {
    readonly payloadType: string;
    readonly payload: string;
    readonly signatures: readonly { readonly sig: string }[];
  };
  const { payloadType, signatures } = envelope;
  expect(Buffer.from(envelope.payload, 'base64').toString('utf8')).to.equal(payload);
  const signed = `DSSEv1 ${payloadType.length} ${payloadType} ${Buffer.byteLength(payload)} ${payload}`;
  const { publicKey } = new X509Certificate(certificate);
  const [{ sig } = { sig: '' }] = signatures;
  return verify('sha256', Buffer.from(signed), publicKey, Buffer.from(sig, 'base64'));
}
