import { mock } from 'node:test';
import { expect } from 'chai';
import { admissionLimits, admissionTimes } from '../../../src/admission/admission-limits.ts';
import type { BackgroundPace } from '../../../src/admission/background-turns.ts';
import type { ImageVerdict } from '../../../src/admission/image-verdict.ts';
import type { CompiledClusterPolicy } from '../../../src/policy/compiled-policy.ts';
import type { RegisteredPolicy } from '../../../src/policy/policy-register.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { settle } from '../kube/virtual-clock.ts';
import { soon } from '../registry/sample-images.ts';
import { openDoor, podOf, requestOf } from './door.ts';
import type { Door } from './door.ts';

const imageOf = (index: number): string =>
  `registry.example/app@sha256:${index.toString(16).padStart(64, '0')}`;
const store = {} as ImageStore;
const passing = { authorities: [{ name: 'all', static: { action: 'pass' } }] };

/** A policy over the whole object: what it finds out is never remembered. */
function lookingAtObject(compiled: CompiledClusterPolicy): CompiledClusterPolicy {
  const policy = {
    ...{ type: 'cue' as const, names: [], volatile: [], release: () => Promise.resolve() },
    evaluate: () => Promise.resolve({ passed: true, messages: [], reference: '', warnings: [] }),
  };
  return { ...compiled, whole: { policy, includes: { includeSpec: true } } };
}

describe('judging in the background', () => {
  let door: Door;
  let turns: { readonly signal: AbortSignal; readonly come: () => void }[];
  const pace: BackgroundPace = {
    maxAgeMs: 60_000,
    turn: (signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      turns.push({
        signal,
        come: () => {
          resolve(undefined);
        },
      });
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
      return promise;
    },
  };

  beforeEach(async () => {
    turns = [];
    door = await openDoor({ store, policies: [passing] });
  });

  const policyInForce = (): RegisteredPolicy => {
    const [registered] = door.register.inForce?.policies ?? [];
    if (registered === undefined) throw new Error('no policy');
    return registered;
  };
  const judge = (
    image: string,
    { signal = soon() }: { readonly signal?: AbortSignal } = {},
  ): Promise<ImageVerdict> =>
    door.judging.judge(
      { image, paths: ['spec.containers[0].image'] },
      {
        ...{ background: pace, signal, isPod: true, object: podOf([image]) },
        inForce: door.register.inForce!,
        workload: { group: '', version: 'v1', resource: 'pods', labels: {} },
        account: { namespace: 'shop', serviceAccount: 'default', pullSecrets: [] },
      },
    );

  it('takes one turn for an image and a policy, however many Pods are judged at once', async () => {
    const verdicts = Promise.all(Array.from({ length: 200 }, () => judge(imageOf(1))));
    await settle();
    expect(turns).to.have.length(1);
    turns[0]?.come();
    expect(new Set((await verdicts).map(({ outcome }) => outcome))).to.deep.equal(new Set(['admitted']));
    expect(turns, 'known by now').to.have.length(1);
    await judge(imageOf(1));
    expect(turns).to.have.length(1);
  });

  it('needs no turn for what the door finds out meanwhile', async () => {
    const registered = policyInForce();
    door.register.put({ ...registered, compiled: { ...registered.compiled, name: 'second' } });
    const verdict = judge(imageOf(1));
    await settle();
    await door.validate(requestOf(podOf([imageOf(1)])));
    turns[0]?.come();
    expect((await verdict).outcome).to.equal('admitted');
    expect(turns, 'of two policies').to.have.length(1);
  });

  it('takes no place at the door while it waits', async () => {
    const waiting = Array.from({ length: admissionLimits.judgements + 1 }, (_, index) =>
      judge(imageOf(index)),
    );
    await settle();
    expect(turns).to.have.length(waiting.length);
    const answer = await door.validate(requestOf(podOf([imageOf(9999)])));
    expect(answer.allowed, 'the door has places left').to.equal(true);
    for (const { come } of turns) come();
    await Promise.all(waiting);
  });

  it('gives up its turn when it is ended', async () => {
    const ending = new AbortController();
    const verdict = judge(imageOf(1), { signal: ending.signal });
    await settle();
    ending.abort(new DOMException('the queue is closed', 'AbortError'));
    await verdict;
    expect(turns.map(({ signal }) => signal.aborted)).to.deep.equal([true]);
  });

  it('a policy that looks at the object has a turn each time', async () => {
    const registered = policyInForce();
    door.register.put({ ...registered, compiled: lookingAtObject(registered.compiled) });
    const verdicts = Promise.all([judge(imageOf(1)), judge(imageOf(1))]);
    await settle();
    expect(turns).to.have.length(2);
    for (const { come } of turns) come();
    expect((await verdicts).map(({ outcome }) => outcome)).to.deep.equal(['admitted', 'admitted']);
  });

  it('has all its time for judging once the turn has come', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const verdict = judge(imageOf(1));
      await settle();
      mock.timers.tick(admissionTimes.judgingMs + 1);
      turns[0]?.come();
      expect((await verdict).outcome).to.equal('admitted');
    } finally {
      mock.timers.reset();
    }
  });
});
