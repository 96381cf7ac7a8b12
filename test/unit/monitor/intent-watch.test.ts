import { expect } from 'chai';
import { silentLog } from '../../../src/model/log.ts';
import type { Log } from '../../../src/model/log.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { ListPage } from '../../../src/kube/kube-client.ts';
import type { WatchEvent } from '../../../src/kube/watch-stream.ts';
import { IntentMemory } from '../../../src/monitor/intent-memory.ts';
import { IntentWatch } from '../../../src/monitor/intent-watch.ts';
import type { IntentWatchParts } from '../../../src/monitor/intent-watch.ts';
import { toRecordObject } from '../../../src/settings/signing-record-object.ts';
import { signal, systemClock } from '../signing/signed-evidence.ts';
import { newPayload } from './entries.ts';

const fingerprint = 'ab'.repeat(32);

describe('IntentWatch', () => {
  let memory: IntentMemory;
  let warnings: string[];
  beforeEach(() => {
    memory = new IntentMemory([]);
    warnings = [];
  });

  const log: Log = {
    ...silentLog,
    warn: (_, fields) => {
      warnings.push(String(fields?.['code']));
    },
  };
  const objectOf = (uid: string, payloadDigest = newPayload()): KubeObject => {
    const object = toRecordObject({
      namespace: 'ci',
      uid,
      run: { kind: 'TaskRun', name: 'run' },
      phase: 'Intended',
      artifacts: [
        {
          kind: 'signature',
          layout: 'tag',
          subject: 'image@sha256:1',
          payloadDigest,
          keyFingerprints: [fingerprint],
          destinations: [],
        },
      ],
      version: '1',
    });
    return { ...object };
  };
  const watchOver = (client: Partial<IntentWatchParts['client']>): IntentWatch => {
    const none = { listPages: () => pages([]), watch: () => events([]) };
    return new IntentWatch({ client: { ...none, ...client }, memory, clock: systemClock, log });
  };

  it('notes what all records mean, and goes on after one that somebody spoilt', async () => {
    const payloadDigest = newPayload();
    const spoilt = { ...objectOf('a'), spec: {} };
    const source = watchOver({ listPages: () => pages([spoilt, objectOf('b', payloadDigest)]) });
    await source.refresh({ signal });
    expect(memory.explains({ payloadDigest }, [fingerprint])).to.equal(true);
    expect(memory.explains({ payloadDigest }, ['cd'.repeat(32)])).to.equal(false);
    expect(warnings).to.deep.equal(['ERR_SIGNING_RECORD_INVALID']);
  });

  it('stores the last of what it remembers', () => {
    const noted = Array.from({ length: 50_003 }, (_, at) => [`key ${at}`, at] as const);
    const stored = new IntentMemory([], { noted, promised: [] }).toStored();
    expect(stored.noted).to.have.length(50_000);
    expect(stored.noted[0]).to.deep.equal(['key 3', 3]);
  });

  it('notes a record as it comes, and knows it when it was deleted at once', async () => {
    const [listed, added] = [newPayload(), newPayload()];
    const stop = new AbortController();
    const object = objectOf('b', added);
    const source = watchOver({
      listPages: () => pages([objectOf('a', listed)]),
      watch: () =>
        events(
          [
            { type: 'ADDED', object, resourceVersion: '2' },
            { type: 'DELETED', object, resourceVersion: '3' },
          ],
          () => {
            stop.abort();
          },
        ),
    });
    await source.run({ signal: stop.signal });
    for (const payloadDigest of [listed, added]) {
      expect(memory.explains({ payloadDigest }, [fingerprint])).to.equal(true);
    }
  });
});

async function* pages(items: readonly KubeObject[]): AsyncGenerator<ListPage, void, undefined> {
  await Promise.resolve();
  yield { items, resourceVersion: '1' };
}

async function* events(
  list: readonly WatchEvent[],
  atEnd: () => void = () => undefined,
): AsyncGenerator<WatchEvent, void, undefined> {
  await Promise.resolve();
  yield* list;
  atEnd();
}
