import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { runCli } from '../integration/commands/cli.ts';
import { isExplained, listRecords, untilLogged } from '../support/logged-entries.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { listEvidence } from '../support/attached-evidence.ts';
import { RekorShards, TilesLog } from '../support/log-shards.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import {
  createCompletedRun,
  imageResults,
  marksOf,
  runPath,
  waitForMarks,
  waitUntilSigned,
} from '../support/task-runs.ts';
import type { RunMarks } from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

interface TrustedRoot {
  readonly tlogs: readonly TrustedLog[];
}

interface TrustedLog {
  readonly baseUrl: string;
  readonly publicKey: { readonly validFor?: { readonly start?: string; readonly end?: string } };
}

// Files are read again every ten seconds.
const rereadMs = 11_000;
const signedWithinMs = 120_000;

describe('logs that come, go and are away', () => {
  let scene: Scene;
  let parts: AsyncDisposableStack;
  let folder: string;
  let trustedRoot: string;
  let namespace: string;

  beforeEach(async () => {
    parts = new AsyncDisposableStack();
    scene = parts.use(await openScene());
    folder = await mkdtemp(join(tmpdir(), 'chainwright-rotation-'));
    parts.defer(() => rm(folder, { recursive: true }));
    trustedRoot = join(folder, 'trusted_root.json');
    await writeFile(trustedRoot, await readFile(scene.stack.trustedRoot));
    namespace = await scene.namespace('rotation');
  });

  afterEach(async () => {
    await parts.disposeAsync();
  });

  const replace = async (file: string, content: object): Promise<void> => {
    await writeFile(`${file}.new`, JSON.stringify(content));
    await rename(`${file}.new`, file);
  };

  /** Adds a log to the trust root, and ends another one there. */
  const trust = async (log: RekorShards | TilesLog, ended?: string): Promise<void> => {
    const one = join(folder, 'one.json');
    const options = [`url=${log.url}`, `public-key=${log.publicKey}`, 'start-time=2020-01-01T00:00:00Z'];
    if (log instanceof TilesLog) options.push('origin=localhost');
    const made = await scene.judges.cosign([
      'trusted-root',
      'create',
      `--rekor=${options.join(',')}`,
      '--out',
      one,
    ]);
    expect(made.code, made.stderr).to.equal(0);
    const { tlogs } = JSON.parse(await readFile(one, 'utf8')) as TrustedRoot;
    const root = JSON.parse(await readFile(trustedRoot, 'utf8')) as TrustedRoot;
    const end = new Date().toISOString();
    const old = root.tlogs.map((tlog) =>
      tlog.baseUrl === ended
        ? { ...tlog, publicKey: { ...tlog.publicKey, validFor: { ...tlog.publicKey.validFor, end } } }
        : tlog,
    );
    await replace(trustedRoot, { ...root, tlogs: [...old, ...tlogs] });
  };

  const build = async (name: string): Promise<PushedImage> => {
    const image = await pushImage(scene.registry, `${scene.stack.registry}/rotation/${name}`);
    await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
    return image;
  };

  const signed = async (name: string): Promise<RunMarks> =>
    waitUntilSigned(scene.api, { namespace, name }, signedWithinMs);

  const logsOf = ({ logEntries }: RunMarks): readonly string[] => [
    ...new Set(logEntries.map(({ log }) => log)),
  ];

  const expectAccepted = async (...images: readonly PushedImage[]): Promise<void> => {
    for (const { ref } of images) {
      for (const { code, stderr } of [
        await scene.judges.verify(ref, { trustedRoot }),
        await scene.judges.verifyAttestation(ref, 'slsaprovenance', { trustedRoot }),
      ]) {
        expect(code, stderr).to.equal(0);
      }
    }
  };

  it('Rekor v2: a new address in trust root and signing configuration, no restart, old entries verify', async () => {
    const { stack } = scene;
    const next = parts.use(await TilesLog.open(stack));
    const signingConfig = join(folder, 'signing_config.json');
    const config = JSON.parse(await readFile(stack.env['STACK_SIGNING_CONFIG_REKOR2']!, 'utf8')) as {
      rekorTlogUrls: { validFor: object }[];
    };
    await replace(signingConfig, config);
    await scene.controller([namespace], {
      settings: { signingConfig: { file: signingConfig }, trustedRoot: { file: trustedRoot } },
    });
    const before = await build('before');
    expect(logsOf(await signed('before'))).to.deep.equal([stack.rekor2Url]);

    await trust(next, stack.rekor2Url);
    const start = new Date().toISOString();
    const [old] = config.rekorTlogUrls;
    const closing = { ...old, validFor: { ...old!.validFor, end: '2099-01-01T00:00:00Z' } };
    const opened = { ...old, url: next.url, validFor: { start } };
    await replace(signingConfig, { ...config, rekorTlogUrls: [opened, closing] });
    await sleep(rereadMs);
    const after = await build('after');
    expect(logsOf(await signed('after'))).to.deep.equal([next.url]);
    await expectAccepted(before, after);
  }).timeout(480_000);

  it('Rekor v1: a new tree behind the same address; entries of the old one are found, read and verified', async () => {
    const shards = parts.use(await RekorShards.open(scene.stack));
    await trust(shards);
    await scene.controller([namespace], {
      settings: { log: { url: shards.url }, trustedRoot: { file: trustedRoot } },
    });
    const before = await build('before');
    const first = await signed('before');
    await shards.rotate();
    const after = await build('after');
    const second = await signed('after');
    const indices = [...first.logEntries, ...second.logEntries].map(({ logIndex }) => logIndex);
    expect(
      indices.toSorted((a, b) => a - b),
      'counted on over both',
    ).to.deep.equal([...indices.keys()]);
    await expectAccepted(before, after);

    const env = { SSL_CERT_FILE: scene.stack.ca, DOCKER_CONFIG: scene.stack.env['DOCKER_CONFIG'] ?? '' };
    const ask = async (...args: readonly string[]): Promise<unknown> => {
      const flags = ['--rekor-url', shards.url, '--trusted-root', trustedRoot, '--output', 'json'];
      const { code, stdout, stderr } = await runCli(['log', ...args, ...flags], { cwd: folder, env });
      expect(code, stderr).to.equal(0);
      return JSON.parse(stdout) as unknown;
    };
    for (const { logEntries } of [first, second]) {
      const { logIndex } = logEntries[0]!;
      expect(await ask('get', '--log-index', String(logIndex))).to.include({ logIndex });
    }
    for (const [image, { logEntries }] of [
      [before, first],
      [after, second],
    ] as const) {
      // Rekor v1 puts an entry into its search index a moment after it took it.
      const found = await waitFor(
        async () => {
          const entries = (await ask('search', image.ref)) as { logIndex: number }[];
          return entries.length >= logEntries.length ? entries : undefined;
        },
        { what: 'the entries being found', timeoutMs: 30_000 },
      );
      expect(found.map(({ logIndex }) => logIndex)).to.have.members(
        logEntries.map(({ logIndex }) => logIndex),
      );
    }
  }).timeout(480_000);

  it('one of two logs away: the run waits, the other log takes no entry twice, and every entry is explained', async () => {
    const { stack, api } = scene;
    const away = parts.use(await TilesLog.open(stack));
    await trust(away);
    await scene.controller([namespace], {
      settings: {
        log: { url: stack.rekorUrl, further: [{ url: away.url, version: 'v2' }] },
        timestampAuthorities: [stack.tsaUrl],
        trustedRoot: { file: trustedRoot },
        controller: { retry: { base: '500ms', max: '2s' } },
      },
    });
    await away.stop();
    const images = [await build('away-1'), await build('away-2')];
    for (const name of ['away-1', 'away-2']) {
      const what = 'its error';
      await waitForMarks(api, { namespace, name }, ({ error }) => error !== undefined, {
        what,
        timeoutMs: 60_000,
      });
    }
    // Time for some more tries, of which the log that is there must take nothing.
    await sleep(8000);
    for (const name of ['away-1', 'away-2']) {
      const { signed: mark, error } = marksOf(await api.get(runPath(namespace, name)));
      expect(mark).to.equal(undefined);
      expect(error).to.match(/^ERR_LOG_UNREACHABLE/);
    }
    await away.restart();
    for (const name of ['away-1', 'away-2']) {
      expect(logsOf(await signed(name))).to.deep.equal([stack.rekorUrl, away.url]);
    }
    await expectAccepted(...images);
    const artifacts = (await listRecords(api, namespace)).flatMap(({ spec }) => spec.artifacts);
    for (const image of images) {
      const { digest } = image;
      const ofImage = artifacts.filter(({ subject }) => subject.endsWith(digest));
      const facts = await untilLogged(scene.judges, { digest, artifacts: ofImage, atLeast: 4 });
      expect(facts.filter((fact) => !isExplained(fact, artifacts))).to.deep.equal([]);
      expect(facts, 'provenance, SBOM and two signatures, each once').to.have.lengthOf(4);
      for (const { layout, witnesses } of await listEvidence(scene.registry, image, image.digest)) {
        if (layout === 'referrer') expect(witnesses?.tlogEntries).to.have.lengthOf(2);
      }
    }
  }).timeout(480_000);
});
