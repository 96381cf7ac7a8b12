import { tmpdir } from 'node:os';
import { builtPath, ensureBuilt } from '../../hack/stack/build/binaries.ts';
import { run } from '../../hack/stack/process/run.ts';
import { componentNamed } from '../../hack/stack/versions.ts';
import type { Scene } from './scene.ts';

const component = componentNamed('tekton-cli');

/**
 * The real `tkn chain`, which prints what lies on a run. It asks each storage that `chains-config` names, in random order, and
 * gives up at the registry unless a key of `signing-secrets` signed; so it is shown a `chains-config` that names the run alone.
 */
export class TektonCli {
  readonly #kubeconfig: string;
  readonly #chainsNamespace: string;

  private constructor(kubeconfig: string, chainsNamespace: string) {
    this.#kubeconfig = kubeconfig;
    this.#chainsNamespace = chainsNamespace;
  }

  /** Builds it where it is not there yet: some minutes. */
  static async open({ api, stack, namespace }: Scene): Promise<TektonCli> {
    await ensureBuilt([component]);
    const name = await namespace('tkn');
    await api.create(`/api/v1/namespaces/${name}/configmaps`, {
      metadata: { name: 'chains-config' },
      data: { 'artifacts.taskrun.storage': 'tekton', 'artifacts.oci.storage': '' },
    });
    return new TektonCli(stack.kubeconfig, name);
  }

  /** `tkn chain payload`: the statement. */
  payload(target: { readonly namespace: string; readonly name: string }): Promise<string> {
    return this.#chain(['payload', '--skip-verify'], target);
  }

  /** `tkn chain signature`: the envelope, in Go's brackets for a list. */
  signature(target: { readonly namespace: string; readonly name: string }): Promise<string> {
    return this.#chain(['signature'], target);
  }

  #chain(
    command: readonly string[],
    { namespace, name }: { readonly namespace: string; readonly name: string },
  ): Promise<string> {
    const places = ['--namespace', namespace, '--chains-namespace', this.#chainsNamespace];
    return run(builtPath(component), ['chain', ...command, ...places, name], {
      env: { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), KUBECONFIG: this.#kubeconfig },
    });
  }
}
