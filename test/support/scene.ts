import { openStack } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { ControllerProcess } from './controller-process.ts';
import type { ControllerOptions } from './controller-process.ts';
import { Judges } from './judges.ts';
import { KubeApi } from './kube-api.ts';
import { RegistrySession } from './registry-session.ts';
import { createNamespace, deleteNamespace } from './test-namespace.ts';

/** Everything that an e2e test works with. */
export interface Scene extends AsyncDisposable {
  readonly stack: Stack;
  readonly api: KubeApi;
  readonly registry: RegistrySession;
  readonly judges: Judges;
  /** A new namespace, removed at the end. */
  readonly namespace: (stem: string) => Promise<string>;
  /** A controller that sees only these namespaces, stopped at the end. */
  readonly controller: (
    namespaces: readonly string[],
    options?: Omit<ControllerOptions, 'stack'>,
  ) => Promise<ControllerProcess>;
}

/** Opens the running stack for a test file. */
export async function openScene(): Promise<Scene> {
  const stack = await openStack();
  const parts = new AsyncDisposableStack();
  const api = parts.use(await KubeApi.open(stack.kubeconfig));
  const registry = parts.use(await RegistrySession.open({ ca: stack.ca, account: stack.robot }));
  const judges = parts.use(await Judges.open(stack));
  const namespaces: string[] = [];
  parts.defer(async () => {
    for (const name of namespaces) await deleteNamespace(api, name);
  });
  return {
    stack,
    api,
    registry,
    judges,
    namespace: async (stem) => {
      const name = await createNamespace(api, stem);
      namespaces.push(name);
      return name;
    },
    controller: async (seen, options = {}) =>
      parts.use(
        await ControllerProcess.start({
          stack,
          ...options,
          settings: withNamespaces(options.settings, seen),
        }),
      ),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function withNamespaces(settings: SettingsInput = {}, namespaces: readonly string[]): SettingsInput {
  return { ...settings, controller: { ...settings.controller, namespaces: [...namespaces] } };
}
