import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { formatRepository } from '../../../src/model/image-reference.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import type { CompiledPolicy, PolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { judgeImage } from '../../../src/policy/image-judge.ts';
import type { JudgeParts } from '../../../src/policy/image-judge.ts';
import type { ImageJudgement } from '../../../src/policy/judgement.ts';
import { compileClusterPolicy } from '../../../src/policy/policy-compiler.ts';
import type { PolicyReferences } from '../../../src/policy/policy-references.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { soon } from '../registry/sample-images.ts';

/** A policy's document as JSON text: what an engine stub decides by. */
export type StubRule = (document: string, mode: 'strict' | 'permissive') => readonly string[];

/** An engine whose policies are named by their source: `rules` tells why a document does not meet one. */
function stubEngine(rules: Readonly<Record<string, StubRule>>): PolicyEngine {
  const compile: PolicyEngine['compile'] = ({ type, data }) => {
    const rule = rules[data];
    if (rule === undefined) return Promise.reject(new Error(`no rule ${data}`));
    const compiled: CompiledPolicy = {
      type,
      names: [],
      volatile: [],
      evaluate: (document, { mode }) => {
        const texts = rule(Buffer.from(document).toString('utf8'), mode);
        const messages = texts.map((text) => ({ reason: 'conflict' as const, path: 'a.b', text }));
        return Promise.resolve({ passed: texts.length === 0, messages, reference: '', warnings: [] });
      },
      release: () => Promise.resolve(),
    };
    return Promise.resolve(compiled);
  };
  return { compile, close: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** What a test may say of the judging. */
export interface JudgingOptions {
  readonly rules?: Readonly<Record<string, StubRule>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly kmsKeys?: Readonly<Record<string, string>>;
  readonly trustRoots?: Readonly<Record<string, TrustRoot>>;
  readonly noMatch?: JudgeParts['noMatch'];
  readonly storeFor?: NonNullable<JudgeParts['storeFor']>;
  readonly evidence?: 'all' | 'enough';
  readonly searchLog?: NonNullable<JudgeParts['searchLog']>;
}

/** A ClusterImagePolicy with these authorities for every image of registry.example. */
export function policyObject(authorities: readonly object[], more: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'test' },
    spec: { images: [{ glob: 'registry.example/**' }], authorities, ...more },
  };
}

/** Judges an image of a Pod by policies. */
export async function judge(
  store: ImageStore,
  pinned: PinnedImage,
  policies: readonly unknown[],
  {
    rules = {},
    secrets = {},
    kmsKeys = {},
    trustRoots = {},
    noMatch = 'deny',
    storeFor,
    evidence = 'all',
    searchLog,
  }: JudgingOptions = {},
): Promise<ImageJudgement> {
  const references: PolicyReferences = {
    findTrustRoot: (name = 'default') => Promise.resolve(trustRoots[name]),
    findSecret: (name) => Promise.resolve(secrets[name] ?? ''),
    findConfigMapEntry: (name, key) => Promise.resolve(`${name}/${key}`),
    fetchRemotePolicy: ({ url }) => Promise.resolve(url),
    findKmsKey: (uri) => Promise.resolve(kmsKeys[uri] ?? ''),
  };
  const parts = { engine: stubEngine(rules), references, signal: soon() };
  const compiled = await Promise.all(
    policies.map((value) => compileClusterPolicy(parseClusterImagePolicy(value, 'tekton-chains'), parts)),
  );
  const image = `${formatRepository(pinned.repository)}@${pinned.digest}`;
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod' },
    spec: { containers: [{ image }] },
  };
  const workload = { group: '', version: 'v1', resource: 'pods', labels: {} };
  return judgeImage({ image, pinned, workload, object }, compiled, {
    store,
    clock: systemClock,
    noMatch,
    evidence,
    signal: soon(),
    ...(storeFor === undefined ? {} : { storeFor }),
    ...(searchLog === undefined ? {} : { searchLog }),
  });
}

/** A store of which some methods are others. */
export function overlaid(store: ImageStore, methods: Partial<ImageStore>): ImageStore {
  return new Proxy(store, {
    get: (target, name) => {
      const own = Reflect.get(methods, name) as unknown;
      const method = own ?? (Reflect.get(target, name) as unknown);
      return typeof method === 'function' ? (method.bind(target) as unknown) : method;
    },
  });
}
