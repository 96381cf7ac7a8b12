import { exportPolicies } from '../../src/commands/policy/kyverno-export.ts';
import { openJudging } from '../../src/commands/policy/judging-session.ts';
import type { JudgingOptions } from '../../src/commands/policy/judging-session.ts';
import { imagesOf } from '../../src/commands/policy/test-images.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { parseClusterImagePolicy } from '../../src/policy/cluster-image-policy.ts';
import { explainBriefly } from '../../src/policy/explanation.ts';
import { resolveSettings } from '../../src/settings/resolution.ts';
import { KyvernoCli, enforcedNamespace } from './kyverno-cli.ts';
import { patientLimits } from './patient-limits.ts';

type Outcome = 'admitted' | 'denied' | 'warned';

/** An image and policies that both judge. */
export interface ComparedCase {
  readonly name: string;
  readonly image: string;
  readonly policies: readonly object[];
  /** Images of further containers. */
  readonly besides?: readonly string[];
  readonly kind?: 'Pod' | 'Deployment' | 'CronJob';
  /** Whether the image is mounted as a volume too. */
  readonly withVolume?: boolean;
}

/** What both said. */
export interface Compared {
  readonly name: string;
  readonly ours: Outcome;
  readonly kyverno: Outcome;
  /** Names of the limitations that came with the exported policies. */
  readonly limitations: readonly string[];
  /** Why, in the words of both. */
  readonly text: string;
}

/** Judges the same object by ClusterImagePolicies and, in the real engine, by what they are exported to. */
export class KyvernoComparison implements AsyncDisposable {
  readonly #stack: Stack;
  readonly #cli: KyvernoCli;

  private constructor(stack: Stack, cli: KyvernoCli) {
    this.#stack = stack;
    this.#cli = cli;
  }

  static async open(stack: Stack): Promise<KyvernoComparison> {
    return new KyvernoComparison(stack, await KyvernoCli.open(stack));
  }

  async compare(asked: ComparedCase): Promise<Compared> {
    const object = objectOf(asked);
    await using closing = new AsyncDisposableStack();
    const options = this.#options(asked, closing);
    const [ours, why] = await judgeAll(object, options);
    const { exported, unmatched } = await exportPolicies(options, options, {
      version: 'v1',
      namespaceSelector: { matchLabels: { 'sigstore-policy': 'enforce' } },
      tuf: this.#cli.tuf,
      unchangedImages: 'admit',
      exceptions: 'off',
    });
    const policies = [
      ...exported.map(({ policy }) => policy),
      ...(unmatched === undefined ? [] : [unmatched]),
    ];
    const verdict = await this.#cli.judge({
      policies: policies.filter((one) => isAbout(one, asked.kind)),
      object,
    });
    const codes = exported.flatMap(({ limitations }) => limitations.map(({ code }) => code));
    return {
      name: asked.name,
      ours,
      kyverno: verdict.outcome,
      limitations: [...new Set(codes)],
      text: `${asked.name}\nours: ${ours} ${why}\nKyverno: ${verdict.outcome}\n${verdict.text}`,
    };
  }

  /** What both said of all, as a table. */
  table(all: readonly Compared[]): string {
    const width = Math.max(...all.map(({ name }) => name.length));
    const lines = all.map(({ name, ours, kyverno, limitations }) => {
      const why = ours === kyverno ? '' : `stricter: ${limitations.join(', ')}`;
      return `${name.padEnd(width)}  ${ours.padEnd(8)}  ${kyverno.padEnd(8)}  ${why}`.trimEnd();
    });
    const laxer = all.filter(({ ours, kyverno }) => ours === 'denied' && kyverno !== 'denied').length;
    const stricter = all.filter(({ ours, kyverno }) => ours !== 'denied' && kyverno === 'denied').length;
    const sum = `${all.length} pairs, alike ${all.length - laxer - stricter}, Kyverno stricter ${stricter}, laxer ${laxer}`;
    return ['', `${'pair'.padEnd(width)}  ours      Kyverno`, ...lines, sum, ''].join('\n');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cli[Symbol.asyncDispose]();
  }

  #options({ policies }: ComparedCase, closing: AsyncDisposableStack): JudgingOptions {
    const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
    return {
      settings: resolveSettings({}).settings,
      environment: { SSL_CERT_FILE: this.#stack.ca, DOCKER_CONFIG: this.#stack.env['DOCKER_CONFIG'] },
      trustedRoot: this.#stack.trustedRoot,
      policies: policies.map((policy) => parseClusterImagePolicy(policy, 'tekton-chains')),
      references: { findNamedTrustRoot: () => undefined, findSecret: none, findConfigMapEntry: none },
      noMatch: 'deny',
      signal: AbortSignal.timeout(60_000),
      closing,
    };
  }
}

async function judgeAll(
  object: Record<string, unknown>,
  options: JudgingOptions,
): Promise<readonly [Outcome, string]> {
  const judge = await openJudging({ limits: patientLimits, ...options });
  const judgements = await Promise.all(
    imagesOf([{ file: 'object', value: object }]).map((image) => judge(image)),
  );
  const outcomes = judgements.map(({ outcome }) => outcome);
  const worst =
    (['denied', 'warned', 'admitted'] as const).find((one) => outcomes.includes(one)) ?? 'admitted';
  return [worst, judgements.map((one) => explainBriefly(one)).join('\n')];
}

const resources: Readonly<Record<string, string>> = {
  Pod: 'pods',
  Deployment: 'deployments',
  CronJob: 'cronjobs',
};

/** The command line counts a policy that is about another kind of object as one that did not pass. */
function isAbout(policy: Parameters<KyvernoCli['judge']>[0]['policies'][number], kind = 'Pod'): boolean {
  const wanted = resources[kind] ?? '';
  return policy.spec.matchConstraints.resourceRules.some((rule) => rule.resources.includes(wanted));
}

function objectOf({
  image,
  besides = [],
  kind = 'Pod',
  withVolume = false,
}: ComparedCase): Record<string, unknown> {
  const volumes = withVolume ? { volumes: [{ name: 'data', image: { reference: image } }] } : {};
  const further = besides.map((one, index) => ({ name: `besides-${index}`, image: one }));
  const spec = { containers: [{ name: 'main', image }, ...further], ...volumes };
  const metadata = { name: 'judged', namespace: enforcedNamespace };
  if (kind === 'Pod') return { apiVersion: 'v1', kind, metadata, spec };
  const labels = { app: 'judged' };
  const template = { metadata: { labels }, spec };
  if (kind === 'Deployment') {
    return { apiVersion: 'apps/v1', kind, metadata, spec: { selector: { matchLabels: labels }, template } };
  }
  return {
    apiVersion: 'batch/v1',
    kind,
    metadata,
    spec: { schedule: '0 0 * * *', jobTemplate: { spec: { template } } },
  };
}
