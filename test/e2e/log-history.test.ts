import { cp, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { openStack, trillianSql } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { LogFront } from '../support/log-front.ts';
import { MonitorProcess } from '../support/monitor-process.ts';
import { OwnRekor } from '../support/own-rekor.ts';
import { growRekor2 } from '../support/rekor2-entries.ts';
import { waitFor } from '../support/waiting.ts';

const fromStart = ['--start-index', '0', '--unreachable-after', '15s'];

describe('a log whose history was altered', () => {
  let stack: Stack;
  before(async () => {
    stack = await openStack();
  });

  const forked = async (monitor: MonitorProcess): Promise<void> => {
    expect(await monitor.alarm(({ alarm }) => alarm === 'LogForked')).to.include({
      code: 'ERR_LOG_CONSISTENCY',
    });
  };

  describe('Rekor v1, by editing rows of Trillian in PostgreSQL', () => {
    let rekor: OwnRekor;
    let front: LogFront;
    let monitor: MonitorProcess;
    beforeEach(async () => {
      rekor = await OwnRekor.start(stack);
      front = await LogFront.open(rekor.url);
      await rekor.grow(20);
      monitor = await MonitorProcess.start(stack, { url: front.url, more: fromStart });
      await monitor.read(19);
    });
    afterEach(async () => {
      await monitor[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
      await rekor[Symbol.asyncDispose]();
    });

    const editLeaf = (sequence: number): Promise<string> =>
      trillianSql(`
        UPDATE leafdata SET leafvalue = set_byte(leafvalue, 200, (get_byte(leafvalue, 200) + 1) % 128)
        WHERE treeid = ${rekor.treeId} AND leafidentityhash = (
          SELECT leafidentityhash FROM sequencedleafdata
          WHERE treeid = ${rekor.treeId} AND sequencenumber = ${sequence})
        RETURNING 'edited'`);

    it('is detected in an entry that was not read yet', async () => {
      front.isAway = true;
      await rekor.grow(5);
      expect(await editLeaf(22)).to.include('edited');
      front.isAway = false;
      await forked(monitor);
    });

    it('is detected in an entry that was read before', async () => {
      expect(await editLeaf(7)).to.include('edited');
      await forked(monitor);
    });

    // Rekor itself finds that its proofs do not hold any more, and gives no entries.
    it('is detected in the hashes of the tree', async () => {
      const edited = await trillianSql(`
        UPDATE subtree SET nodes = set_byte(nodes, length(nodes) - 30, (get_byte(nodes, length(nodes) - 30) + 1) % 256)
        WHERE treeid = ${rekor.treeId} RETURNING 'edited'`);
      expect(edited).to.include('edited');
      const { alarm } = await monitor.alarm(({ logIndex }) => logIndex === undefined);
      expect(['LogForked', 'LogUnreachable']).to.include(alarm);
    });
  });

  describe('Rekor v2, by changing a file of its folder', () => {
    let folder: string;
    let copy: FolderLog;
    let monitor: MonitorProcess;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'chainwright-tiles-'));
      copy = await FolderLog.open(folder);
      await growRekor2(stack.rekor2Url, 3);
      await copyLog();
      const watched = { url: copy.url, apiVersion: '2', more: fromStart } as const;
      monitor = await MonitorProcess.start(stack, watched);
    });
    afterEach(async () => {
      await monitor[Symbol.asyncDispose]();
      await copy[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    });

    /** What the stack's log wrote, so that the others who use it keep theirs. The checkpoint comes last, as the log writes it. */
    const copyLog = async (): Promise<void> => {
      const source = join(dirname(stack.kubeconfig), 'data', 'rekor2');
      const checkpoint = join(folder, 'checkpoint.new');
      await cp(join(source, 'checkpoint'), checkpoint);
      // The log tidies up as it grows: a partial tile may be gone once its folder was listed.
      await waitFor(() => copyTiles(join(source, 'tile'), join(folder, 'tile')), {
        what: 'its tiles being copied',
        timeoutMs: 30_000,
      });
      // Whoever reads meanwhile shall find all of it, or what was there before.
      await rename(checkpoint, join(folder, 'checkpoint'));
    };

    for (const [what, level] of [
      ['an entry', 'entries'],
      ['a hash of the tree', '0'],
    ] as const) {
      it(`is detected in ${what}`, async () => {
        const changed = await changeTiles(join(folder, 'tile', level));
        expect(changed).to.be.above(0);
        await forked(monitor);
      });
    }

    it('is not alarmed where nothing was changed', async () => {
      await growRekor2(stack.rekor2Url, 3);
      await copyLog();
      const before = (await monitor.alarms()).length;
      await waitFor(async () => ((await monitor.looks()) > 3 ? true : undefined), {
        what: 'some looks at the log',
        timeoutMs: 60_000,
      });
      expect((await monitor.alarms()).length).to.equal(before);
    });
  });
});

/** Tiles never change, so those that are there stay untouched under who reads them. */
async function copyTiles(from: string, to: string): Promise<true> {
  await cp(from, to, { recursive: true, force: false });
  return true;
}

/** Changes a byte of each file below a folder, which may be read under the name of any width. */
async function changeTiles(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  let changed = 0;
  for (const file of files.filter((entry) => entry.isFile())) {
    await using handle = await open(join(file.parentPath, file.name), 'r+');
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, 20);
    await handle.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, 20);
    changed += 1;
  }
  return changed;
}

/** The reading side of Rekor v2 over a folder. */
class FolderLog implements AsyncDisposable {
  url = '';
  readonly #server: ReturnType<typeof createServer>;

  private constructor(folder: string) {
    this.#server = createServer((request, response) => {
      const file = createReadStream(join(folder, (request.url ?? '').replace('/api/v2/', '')));
      file.once('open', () => {
        file.pipe(response.writeHead(200));
      });
      file.once('error', () => {
        response.writeHead(404).end();
      });
    });
  }

  static async open(folder: string): Promise<FolderLog> {
    const log = new FolderLog(folder);
    await new Promise<void>((resolve) => log.#server.listen(0, '127.0.0.1', resolve));
    log.url = `http://127.0.0.1:${(log.#server.address() as AddressInfo).port}`;
    return log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
