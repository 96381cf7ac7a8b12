import type { KubeObject } from '../kube/kube-object.ts';
import { isRecord } from '../kube/kube-object.ts';
import { AppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import { effectiveSettings } from '../settings/effective-settings.ts';
import type { EffectiveSettings } from '../settings/effective-settings.ts';
import type { RunFacts } from '../settings/policy-selection.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { RunTerms, SigningSetup, SkipReason, TermsSource } from './run-terms.ts';
import type { Lease } from './shared-parts.ts';
import type { SigningPolicies } from './signing-policies.ts';

/** What the terms are made from. */
export interface SigningTermsParts {
  readonly setups: { lease(settings: Settings): Promise<Lease<SigningSetup>> };
  readonly policies: Pick<SigningPolicies, 'of'>;
}

/** The settings in force and the SigningPolicies of its namespace, as the terms of each run. */
export class SigningTerms implements TermsSource {
  readonly #parts: SigningTermsParts;
  #settings: Settings;

  constructor(parts: SigningTermsParts, settings: Settings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** Has `settings` count for every run that is looked at from now on. */
  use(settings: Settings): void {
    this.#settings = settings;
  }

  termsOf(run: KubeObject): RunTerms {
    const facts = factsOf(run);
    const { policies, unreadable } = this.#parts.policies.of(facts.namespace);
    const effective = effectiveSettings(this.#settings, policies, facts);
    const { managedBy, holdDeletionMs } = this.#settings.controller;
    const { retryBaseMs } = effective;
    const skip = skipOf(effective, facts.namespace);
    return {
      managedBy,
      holdDeletionMs,
      ...(retryBaseMs === undefined ? {} : { retryBaseMs }),
      ...(skip === undefined ? {} : { skip }),
      open: () => this.#open(effective, facts.namespace, unreadable),
    };
  }

  async #open(
    effective: EffectiveSettings,
    namespace: string,
    unreadable: string | undefined,
  ): Promise<Lease<SigningSetup>> {
    if (unreadable !== undefined) throw unreadablePolicy(`${namespace}/${unreadable}`);
    if (effective.logMissedBy !== undefined) throw logMissing(`${namespace}/${effective.logMissedBy}`);
    const lease = await this.#parts.setups.lease(effective.settings);
    if (effective.policies.length === 0) return lease;
    const { part } = lease;
    const refusesRepository = (repository: Parameters<typeof formatRepository>[0]): string | undefined => {
      const name = effective.refusesRepository(formatRepository(repository));
      return name === undefined ? undefined : `SigningPolicy ${namespace}/${name}`;
    };
    return {
      part: { ...part, policy: { ...part.policy, refusesRepository } },
      [Symbol.dispose]: () => {
        lease[Symbol.dispose]();
      },
    };
  }
}

function factsOf({ metadata, kind, spec }: KubeObject): RunFacts {
  const { labels = {}, namespace = '' } = metadata;
  const part = (field: string): string | undefined => {
    const ref = isRecord(spec) && isRecord(spec[field]) ? spec[field] : {};
    return typeof ref['name'] === 'string' ? ref['name'] : undefined;
  };
  const isPipelineRun = kind === 'PipelineRun';
  return {
    namespace,
    labels,
    pipeline: (isPipelineRun ? part('pipelineRef') : undefined) ?? labels['tekton.dev/pipeline'],
    task: isPipelineRun ? undefined : (part('taskRef') ?? labels['tekton.dev/task']),
  };
}

function skipOf({ settings, skippedBy }: EffectiveSettings, namespace: string): SkipReason | undefined {
  if (settings.signer.type === 'none') return { by: 'ChainwrightConfig default', why: 'signer.type is none' };
  return skippedBy === undefined
    ? undefined
    : { by: `SigningPolicy ${namespace}/${skippedBy}`, why: 'its action is Skip' };
}

function unreadablePolicy(object: string): AppError {
  return new AppError(
    'ERR_SIGNING_POLICY_UNREADABLE',
    `SigningPolicy ${object} cannot be read, so it is not known what it wants`,
    {
      kind: 'passing',
      object,
      remedy: 'Correct the SigningPolicy as its condition Ready says, or delete it.',
    },
  );
}

function logMissing(object: string): AppError {
  return new AppError(
    'ERR_SIGNING_POLICY_LOG',
    `SigningPolicy ${object} wants a log entry, and the log is switched off`,
    {
      kind: 'passing',
      object,
      remedy: 'Switch log.enabled on in the ChainwrightConfig, or take logRequired out of the SigningPolicy.',
    },
  );
}
