import type { PushedImage } from './images.ts';
import { pushImage } from './images.ts';
import type { KubeObject } from './kube-api.ts';
import type { Scene } from './scene.ts';
import { seeRun } from './signed-run.ts';
import type { SeenRun } from './signed-run.ts';
import { completeRun, imageResults, runPath, startRun, waitForMarks } from './task-runs.ts';
import type { RunResult, RunTemplate } from './task-runs.ts';

const finalizer = 'chains.tekton.dev/taskrun';
const prefixes = ['', 'TOOL_'];

/** TaskRuns of one namespace and the images that they built, by the run's name. */
export class BuildHistory {
  readonly namespace: string;
  readonly #scene: Scene;
  readonly #images = new Map<string, readonly PushedImage[]>();
  readonly #results = new Map<string, readonly RunResult[]>();

  constructor(scene: Scene, namespace: string) {
    this.#scene = scene;
    this.namespace = namespace;
  }

  /** Starts a run that is going to name `count` images, which are in the registry already, and what else it is told to. */
  async start(name: string, count = 1, more: readonly RunResult[] = []): Promise<void> {
    const { registry, stack, api } = this.#scene;
    const repository = `${stack.registry}/switched/${this.namespace}`;
    const images = await Promise.all(prefixes.slice(0, count).map(() => pushImage(registry, repository)));
    this.#images.set(name, images);
    const named = images.flatMap((image, at) => imageResults(image, prefixes[at]));
    this.#results.set(name, [...named, ...more]);
    await startRun(api, this.#template(name));
  }

  async complete(name: string): Promise<void> {
    await completeRun(this.#scene.api, this.#template(name));
  }

  async build(name: string, count = 1, more: readonly RunResult[] = []): Promise<void> {
    await this.start(name, count, more);
    await this.complete(name);
  }

  async delete(name: string): Promise<void> {
    await this.#scene.api.delete(this.#path(name));
  }

  find(name: string): Promise<KubeObject | undefined> {
    return this.#scene.api.find(this.#path(name));
  }

  imagesOf(name: string): readonly PushedImage[] {
    return this.#images.get(name) ?? [];
  }

  see(name: string): Promise<SeenRun> {
    return seeRun(this.#scene, { namespace: this.namespace, name }, this.imagesOf(name));
  }

  async isHeld(name: string): Promise<boolean> {
    return (await this.find(name))?.metadata.finalizers?.includes(finalizer) === true;
  }

  /** Waits until each of the runs is held by the finalizer, or is not. */
  async waitUntilHeld(names: readonly string[], isHeld = true): Promise<void> {
    const what = isHeld ? 'being held' : 'being let go';
    for (const name of names) {
      await this.#waitFor(
        name,
        what,
        ({ metadata: { finalizers = [] } }) => finalizers.includes(finalizer) === isHeld,
      );
    }
  }

  /** Waits until each of the runs has this mark. */
  async waitUntilMarked(names: readonly string[], mark = 'true'): Promise<void> {
    for (const name of names) {
      await this.#waitFor(name, `signed: "${mark}"`, ({ metadata: { annotations = {} } }) => {
        return annotations['chains.tekton.dev/signed'] === mark;
      });
    }
  }

  async #waitFor(name: string, what: string, isSo: (run: KubeObject) => boolean): Promise<void> {
    const run = { namespace: this.namespace, name };
    await waitForMarks(this.#scene.api, run, (_, object) => isSo(object), { what, timeoutMs: 90_000 });
  }

  #path(name: string): string {
    return runPath(this.namespace, name);
  }

  #template(name: string): RunTemplate {
    return { namespace: this.namespace, name, results: this.#results.get(name) ?? [] };
  }
}
