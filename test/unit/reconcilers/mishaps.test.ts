import { expect } from 'chai';
import fc from 'fast-check';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { runAnnotationKeys as keys } from '../../../src/reconcilers/run-marks.ts';
import { fileResults, imageResults, pushApp, runObject, toolRepository } from '../attestation/builds.ts';
import { Death } from '../attestation/mishaps.ts';
import type { Mishap } from '../attestation/mishaps.ts';
import { World, openSigstore } from '../attestation/world.ts';
import type { Sigstore } from '../attestation/world.ts';
import { soon } from '../registry/sample-images.ts';
import { startController } from './controller-process.ts';
import type { ControllerProcess } from './controller-process.ts';
import { findRun, putRun } from './fake-cluster.ts';

const mishapKinds: readonly Mishap[] = ['fails-before', 'fails-after', 'dies-before', 'dies-after'];
const maxTries = 40;
/** Scenes at the same time: most of their time is spent waiting for the disk. */
const atOnce = 8;

/** What each image of a run is to have. */
const wanted = ['referrer signature', 'referrer provenance', 'tag signature', 'tag provenance'].sort();

describe('whatever goes wrong in between, a run ends up signed once', () => {
  let sigstore: Sigstore;
  before(async () => {
    sigstore = await openSigstore();
  });
  after(() => sigstore[Symbol.asyncDispose]());

  interface Scene extends AsyncDisposable {
    readonly world: World;
    readonly images: readonly PinnedImage[];
  }

  async function openScene(count: 1 | 2): Promise<Scene> {
    const world = await World.open(sigstore);
    const app = await pushApp(world.store);
    const tool = await pushApp(world.store, 'tool', toolRepository);
    const images = [app, tool].slice(0, count);
    const results = {
      ...imageResults(app),
      ...(count === 1 ? {} : imageResults(tool, 'TOOL_')),
      ...fileResults,
    };
    putRun(world.objects, runObject(results));
    return { world, images, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
  }

  /** Goes on as the queue would until the run is marked; a dead process is followed by a new one. */
  async function workOff(world: World, first: ControllerProcess): Promise<void> {
    let process = first;
    const { plan } = first.mishaps;
    for (let tries = 0; tries < maxTries; tries += 1) {
      const died = await process.reconciler.reconcile('team/build', { signal: soon() }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (died === undefined) return;
      if (died instanceof Death) {
        await process.mishaps.settle();
        process = startController(world);
        process.mishaps.plan = plan;
      } else expect(died).to.have.property('code', 'ERR_TEST_MISHAP');
      expect(findRun(world.objects)?.metadata.annotations?.[keys.signed]).to.not.equal('failed');
    }
    expect.fail(`not signed after ${maxTries} tries`);
  }

  async function checkSignedOnce({ world, images }: Scene): Promise<void> {
    const { annotations = {}, finalizers } = findRun(world.objects)?.metadata ?? {};
    expect(annotations[keys.signed]).to.equal('true');
    expect(annotations).to.not.have.property(keys.error);
    expect(annotations).to.have.property('chains.tekton.dev/payload-taskrun-uid-of-build');
    expect(finalizers).to.deep.equal([]);
    for (const image of images) {
      const held = await world.readHeld(image);
      const kinds = held.map(({ layout, payload }) =>
        payload.includes('https://slsa.dev/provenance/') ? `${layout} provenance` : `${layout} signature`,
      );
      expect(kinds.sort()).to.deep.equal(wanted);
    }
    const before = findRun(world.objects);
    await startController(world).reconciler.reconcile('team/build', { signal: soon() });
    expect(findRun(world.objects)).to.equal(before);
  }

  /** Lets the call of that number go wrong, once; gives the number of calls until the run was signed. */
  async function workOffWith(mishap: Mishap, at: number): Promise<number> {
    await using scene = await openScene(1);
    const process = startController(scene.world);
    let calls = 0;
    process.mishaps.plan = () => {
      calls += 1;
      return calls === at ? mishap : undefined;
    };
    await workOff(scene.world, process);
    await checkSignedOnce(scene);
    return calls;
  }

  for (const mishap of mishapKinds) {
    it(`if any one call ${mishap.replace('-', ' ')} it is done`, async () => {
      const calls = await workOffWith(mishap, 0);
      expect(calls).to.be.greaterThan(20);
      for (let at = 1; at <= calls; at += atOnce) {
        await Promise.all(Array.from({ length: atOnce }, (_, next) => workOffWith(mishap, at + next)));
      }
    }).timeout(120_000);
  }

  it('makes no second log entry while the process lives, however often calls fail', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 12 }), async (failing) => {
        await using scene = await openScene(1);
        const process = startController(scene.world);
        const isAfter = new Set(failing.filter((at) => at % 2 === 1));
        process.mishaps.plan = (_, index) => {
          if (!failing.includes(index)) return undefined;
          return isAfter.has(index) ? 'fails-after' : 'fails-before';
        };
        await workOff(scene.world, process);
        await checkSignedOnce(scene);
        expect(scene.world.logIndices.size).to.equal(3);
      }),
      { numRuns: 12 },
    );
  }).timeout(120_000);

  it('if calls of any number of processes fail or kill at random', async () => {
    const drawn = fc.array(
      fc.record({ skip: fc.integer({ min: 0, max: 40 }), mishap: fc.constantFrom(...mishapKinds) }),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(drawn, async (mishaps) => {
        await using scene = await openScene(2);
        const process = startController(scene.world);
        const left = [...mishaps];
        let quiet = left[0]?.skip ?? 0;
        process.mishaps.plan = () => {
          if (left.length === 0) return undefined;
          if (quiet > 0) {
            quiet -= 1;
            return undefined;
          }
          const next = left.shift();
          quiet = left[0]?.skip ?? 0;
          return next?.mishap;
        };
        await workOff(scene.world, process);
        await checkSignedOnce(scene);
      }),
      { numRuns: 12 },
    );
  }).timeout(120_000);
});
