import { isAppError } from '../../model/errors.ts';
import type { PolicyReferences } from '../../policy/policy-references.ts';
import { unusableTrustRoot } from '../../policy/trust-root-fault.ts';
import type { TrustRootObject } from '../../policy/trust-root-object.ts';
import { loadTrustRootObject } from '../../policy/trust-root-source.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { loadTrustRoot } from '../../signing/trust-root.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { hostTrustOf } from '../wiring/attestation.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { openTrustRoot } from '../wiring/trust.ts';
import { openRemoteReferences } from './remote-references.ts';

/** Where what policies refer to comes from on the command line. */
export interface ReferencesOptions {
  readonly settings: Settings;
  readonly environment: Environment;
  /** File with the default trust root; else that of the settings. */
  readonly trustedRoot?: string | undefined;
  /** What the policies refer to, besides the default trust root. */
  readonly references: Omit<PolicyReferences, 'findTrustRoot' | 'fetchRemotePolicy' | 'findKmsKey'> & {
    readonly findNamedTrustRoot: (name: string) => TrustRootObject | undefined;
  };
  readonly signal: AbortSignal;
  /** Takes what has to be closed at the end. */
  readonly closing: AsyncDisposableStack;
}

/** Everything that policies refer to; each is opened when a policy asks for it. Throws ERR_TRUST_ROOT and passing faults then. */
export function openReferences(options: ReferencesOptions): PolicyReferences {
  const defaultRoot = lazily(() => openDefaultTrustRoot(options));
  const findTrustRoot: PolicyReferences['findTrustRoot'] = async (name) => {
    const wanted = name ?? defaultReferenceOf(options);
    if (wanted === undefined) return defaultRoot();
    return openNamedTrustRoot(wanted, options);
  };
  return { ...options.references, ...openRemoteReferences(options), findTrustRoot };
}

/** The connections to the hosts that the settings and the environment know. */
export function openDispatchers({
  settings,
  environment,
}: Pick<ReferencesOptions, 'settings' | 'environment'>): Promise<Dispatchers> {
  return Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) });
}

/** The TrustRoot object that is the default, unless the command line names a file. */
function defaultReferenceOf({ trustedRoot, settings }: ReferencesOptions): string | undefined {
  return trustedRoot === undefined ? settings.trustedRoot.trustRootRef : undefined;
}

async function openDefaultTrustRoot({
  trustedRoot,
  settings,
  signal,
}: ReferencesOptions): Promise<TrustRoot | undefined> {
  return trustedRoot === undefined
    ? openTrustRoot(settings, { signal })
    : loadTrustRoot(trustedRoot, { signal });
}

async function openNamedTrustRoot(
  name: string,
  { references, environment, settings, signal }: ReferencesOptions,
): Promise<TrustRoot | undefined> {
  try {
    const object = references.findNamedTrustRoot(name);
    if (object === undefined) return undefined;
    await using dispatchers = await openDispatchers({ environment, settings });
    const { host } = new URL(object.spec.remote?.mirror ?? 'https://none.invalid');
    const dispatcher = dispatchers.for(host);
    return await loadTrustRootObject(object, { dispatcher, clock: systemClock, signal });
  } catch (error) {
    // As the webhook says it, which has to go on; whoever asks by hand waits for what is passing.
    throw isAppError(error) && error.kind === 'permanent' ? unusableTrustRoot(name, error.message) : error;
  }
}

/** Policies that name their own trust root, or none, spare the way to the public one. */
export function lazily<Value>(open: () => Promise<Value>): () => Promise<Value> {
  let opened: Promise<Value> | undefined;
  return () => (opened ??= open());
}
