/** The worker thread that holds one module of the policy engine; engine-thread.ts starts and feeds it. */
import { parentPort, workerData } from 'node:worker_threads';

import { findCrash } from './engine-answers.ts';
import { startInstance } from './engine-instance.ts';
import type { EngineInstance } from './engine-instance.ts';
import type { ThreadJob, ThreadReply } from './thread-protocol.ts';

function answerTo(instance: EngineInstance, job: ThreadJob): Uint8Array {
  switch (job.kind) {
    case 'compile':
      return instance.compile(job.policy, job.source);
    case 'evaluate':
      return instance.evaluate(job.policy, job.document, job);
    case 'release':
      instance.release(job.policy);
      return new Uint8Array();
  }
}

async function serve(): Promise<void> {
  if (parentPort === null) throw new Error('this file is the entry of a worker thread');
  const port = parentPort;
  const reply = (message: ThreadReply): void => {
    port.postMessage(message);
  };
  const { module } = workerData as { module: WebAssembly.Module };
  const instance = await startInstance(module);
  port.on('message', (job: ThreadJob) => {
    try {
      const answer = answerTo(instance, job);
      const reason = findCrash(answer);
      reply(
        reason === undefined
          ? { kind: 'answer', job: job.job, answer, memoryBytes: instance.memoryBytes() }
          : { kind: 'crash', job: job.job, reason },
      );
    } catch (cause) {
      reply({ kind: 'crash', job: job.job, reason: cause instanceof Error ? cause.message : String(cause) });
    }
  });
  reply({ kind: 'ready', memoryBytes: instance.memoryBytes() });
}

await serve();
