import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { cliEnvironment, program, runCli } from '../integration/commands/cli.ts';
import type { CliOutcome } from '../integration/commands/cli.ts';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import { settingsFile } from '../support/chainwright-process.ts';
import { pushImage } from '../support/images.ts';
import type { PushedImage } from '../support/images.ts';
import { findLoggedFacts, isExplained, listRecords } from '../support/logged-entries.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, marksOf, runPath } from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

const count = 12;
const concurrency = 2;

interface Result {
  readonly runs: readonly { readonly run: string; readonly outcome: string }[];
}

describe(`chainwright backfill of ${count} runs that nobody watched`, () => {
  let scene: Scene;
  let namespace: string;
  let folder: string;
  let env: Readonly<Record<string, string>>;
  const images = new Map<string, PushedImage>();

  const argsWith = (...args: readonly string[]): readonly string[] => [
    ...['backfill', '--config', join(folder, 'config.yaml'), '--output', 'json'],
    ...['--concurrency', `${concurrency}`, ...args],
  ];
  const backfill = async (...args: readonly string[]): Promise<CliOutcome> =>
    runCli(argsWith(...args), { cwd: folder, env });
  const runsOf = ({ stdout, stderr }: CliOutcome): Result['runs'] => {
    if (stdout === '') throw new Error(stderr);
    return (JSON.parse(stdout) as Result).runs;
  };
  const signed = async (): Promise<readonly string[]> => {
    const runs = await scene.api.list(runPath(namespace));
    return runs.filter((run) => marksOf(run).signed === 'true').map(({ metadata }) => metadata.name);
  };

  before(async () => {
    scene = await openScene();
    namespace = await scene.namespace('backfill');
    folder = await mkdtemp(join(tmpdir(), 'chainwright-backfill-'));
    const { stack } = scene;
    env = {
      KUBECONFIG: stack.kubeconfig,
      SSL_CERT_FILE: stack.ca,
      DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] ?? '',
    };
    const settings = {
      signer: { fulcio: { url: stack.fulcioUrl, issuer: stack.issuer } },
      log: { url: stack.rekorUrl },
      trustedRoot: { file: stack.trustedRoot },
      controller: { namespaces: [namespace] },
    };
    await writeFile(join(folder, 'config.yaml'), settingsFile(settings));
    for (let number = 0; number < count; number += 1) {
      const name = `run-${number}`;
      const image = await pushImage(scene.registry, `${stack.registry}/backfill`);
      images.set(name, image);
      await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
    }
  });

  after(async () => {
    await rm(folder, { recursive: true });
    await scene[Symbol.asyncDispose]();
  });

  it('lists them with --dry-run, by time and labels, and signs nothing', async () => {
    const soon = new Date(Date.now() + 60_000).toISOString();
    expect(runsOf(await backfill('--dry-run', '--until', soon))).to.have.length(count);
    expect(runsOf(await backfill('--dry-run', '--since', soon))).to.be.empty;
    expect(runsOf(await backfill('--dry-run', '--selector', 'tekton.dev/task=other'))).to.be.empty;
    const outside = await backfill('--dry-run', '--namespace', 'elsewhere');
    expect(outside.code).to.equal(2);
    expect(await signed()).to.be.empty;
  });

  it('leaves them to a controller that runs', async () => {
    const settings = { signer: { type: 'none' as const } };
    const controller = await scene.controller([namespace], { settings });
    // By its own word: Leases of other tests' controllers stay behind.
    await waitFor(
      async () => (/^chainwright_shares_held 8$/m.test(await controller.metrics()) ? true : undefined),
      { what: 'the controller holding its shares', timeoutMs: 60_000 },
    );
    const outcome = await backfill();
    expect(outcome.code, outcome.stderr).to.equal(0);
    expect(new Set(runsOf(outcome).map((one) => one.outcome))).to.deep.equal(new Set(['left']));
    expect(await controller.stop()).to.equal(0);
    expect(await signed()).to.be.empty;
  });

  it('is killed in the midst of it, and goes on where it was', async () => {
    const child = spawn(program, argsWith(), {
      cwd: folder,
      env: cliEnvironment(folder, env),
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await waitFor(async () => ((await signed()).length > 1 ? true : undefined), {
      what: 'the first runs being signed',
      timeoutMs: 120_000,
    });
    child.kill('SIGKILL');
    await ended;
    const before = await signed();
    expect(before.length).to.be.within(2, count - 1);
    const outcome = await backfill();
    expect(outcome.code, outcome.stderr).to.equal(0);
    const rest = runsOf(outcome);
    // A mark that was on its way when it was killed may have come after that was looked at.
    expect(rest.length).to.be.within(count - before.length - concurrency, count - before.length);
    const names = rest.map(({ run }) => run.slice(run.indexOf('/') + 1));
    expect(names.filter((name) => before.includes(name))).to.be.empty;
    expect(new Set(rest.map((one) => one.outcome))).to.deep.equal(new Set(['signed']));
    expect(await signed()).to.have.length(count);
  }).timeout(360_000);

  it('has done nothing twice, and finds nothing more to do', async () => {
    const records = new Map((await listRecords(scene.api, namespace)).map((one) => [one.spec.run.name, one]));
    let more = 0;
    for (const [name, image] of images) {
      const record = records.get(name);
      if (record === undefined) throw new Error(`${name} has no record`);
      expect(record.spec.phase, name).to.equal('Complete');
      const evidence = await listEvidence(scene.registry, image, image.digest);
      expect(summarise(evidence), name).to.deep.equal(completeEvidence.both);
      const facts = await findLoggedFacts(scene.judges, image.digest, record.spec.artifacts);
      expect(
        facts.filter((fact) => !isExplained(fact, record.spec.artifacts)),
        name,
      ).to.be.empty;
      if (facts.length > 4) more += 1;
    }
    // What was in work when it was killed is logged once more.
    expect(more).to.be.at.most(concurrency);
    const again = await backfill();
    expect(runsOf(again)).to.be.empty;
    expect(again.code).to.equal(0);
  });
});
