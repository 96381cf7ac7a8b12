import { generateKeyPairSync } from 'node:crypto';
import type { EventNotice } from '../../../src/kube/events.ts';
import { findCondition } from '../../../src/kube/conditions.ts';
import type { Finding } from '../../../src/kube/conditions.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { Log } from '../../../src/model/log.ts';
import type { CompiledPolicy, PolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { PolicyCompileError } from '../../../src/policy/evaluation/evaluation-faults.ts';
import { PolicyRegister } from '../../../src/policy/policy-register.ts';
import type { RegisteredPolicy } from '../../../src/policy/policy-register.ts';
import { PolicyFollower } from '../../../src/reconcilers/policy-follower.ts';
import type { PolicyFollowerParts } from '../../../src/reconcilers/policy-follower.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { VirtualClock, settle } from '../kube/virtual-clock.ts';
import { WatchedCluster } from './watched-cluster.ts';

const { clusterImagePolicies, trustRoots, secrets, configMaps } = resourceTypes;
export const namespace = 'chains';

/** An engine that compiles everything but text with `broken` in it, and counts what it holds. */
class CountingEngine implements Pick<PolicyEngine, 'compile'> {
  compiled = 0;
  held = 0;
  /** Each compilation that will not fail waits for it. */
  before: Promise<undefined> | undefined;

  readonly compile: PolicyEngine['compile'] = async ({ type, data, object }) => {
    this.compiled += 1;
    if (data.includes('broken')) {
      throw new PolicyCompileError(type, { message: 'expected operand', line: 1, column: 3 }, object);
    }
    await this.before;
    this.held += 1;
    const policy: CompiledPolicy = {
      type,
      names: [],
      volatile: [],
      evaluate: () => Promise.reject(new Error('nothing is evaluated here')),
      release: () => {
        this.held -= 1;
        return Promise.resolve();
      },
    };
    return policy;
  };
}

/** A trust root of which only the version counts. */
export function trustRootOf(version: string): TrustRoot {
  const material: TrustRoot['material'] = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => {
      throw new Error('there is none');
    },
  };
  return { material, version };
}

/** A public key, PEM. */
export function newPublicKey(): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return publicKey.export({ format: 'pem', type: 'spki' }).toString();
}

export const passing = (why: string): AppError =>
  new AppError('ERR_POLICY_REFERENCE', why, { kind: 'passing' });

/** A cluster in memory with followers of its policies. */
export class PolicyScene {
  readonly clock = new VirtualClock();
  readonly cluster = new WatchedCluster();
  readonly engine = new CountingEngine();
  readonly register = new PolicyRegister();
  readonly events: EventNotice[] = [];
  readonly lines: string[] = [];
  /** What lies outside the cluster, by URL or URI; an AppError is thrown. */
  readonly outside = new Map<string, string | AppError>();
  /** What TrustRoot objects load, by name. */
  readonly roots = new Map<string, TrustRoot | AppError>();
  /** Each loading of a TrustRoot waits for it. */
  beforeLoading: Promise<undefined> | undefined;
  /** Each fetching of a remote policy waits for it. */
  beforeFetching: Promise<undefined> | undefined;
  defaultTrustRoot: PolicyFollowerParts['defaultTrustRoot'] = () => Promise.resolve(trustRootOf('default'));
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];

  /** Starts a follower; more than one are replicas, each with a register of its own unless it is the first. */
  async start(register = this.register): Promise<PolicyFollower> {
    const follower = new PolicyFollower({
      client: this.cluster,
      namespace,
      register,
      engine: this.engine,
      settings: { policyResyncMs: 3_600_000, trustRootResyncMs: 7_200_000 },
      openTrustRoot: ({ metadata }) => ({
        refresh: async () => {
          await this.beforeLoading;
          return answer(this.roots.get(metadata.name) ?? passing('no such mirror'));
        },
      }),
      defaultTrustRoot: this.defaultTrustRoot,
      fetchRemotePolicy: async ({ url }) => {
        await this.beforeFetching;
        return answer(this.outside.get(url) ?? passing(`${url} is away`));
      },
      findKmsKey: (uri) => answer(this.outside.get(uri) ?? passing(`${uri} is away`)),
      events: { record: (notice) => this.events.push(notice) },
      metrics: { faultOccurred: () => undefined },
      clock: this.clock,
      log: this.#log(),
      random: () => 1,
    });
    this.#running.push(follower.run({ signal: this.#stop.signal }));
    await this.settle();
    return follower;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.clock.advance(10_000);
    await Promise.all(this.#running);
  }

  /** Lets all that is under way end. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 6; turn += 1) await settle();
  }

  async wait(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await this.settle();
  }

  async putPolicy(name: string, spec: object, metadata: object = {}): Promise<void> {
    this.cluster.put(clusterImagePolicies, { metadata: { name, ...metadata }, spec });
    await this.settle();
  }

  async putSecret(name: string, entries: Readonly<Record<string, string>>): Promise<void> {
    const data = Object.entries(entries).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
    this.cluster.put(secrets, { metadata: { name, namespace }, data: Object.fromEntries(data) });
    await this.settle();
  }

  async putConfigMap(name: string, data: Readonly<Record<string, string>>): Promise<void> {
    this.cluster.put(configMaps, { metadata: { name, namespace }, data });
    await this.settle();
  }

  async putTrustRoot(name: string, loads: TrustRoot | AppError, spec: object = {}): Promise<void> {
    this.roots.set(name, loads);
    this.cluster.put(trustRoots, { metadata: { name }, spec });
    await this.settle();
  }

  /** The policy in the register. */
  inForce(name: string): RegisteredPolicy {
    const found = this.register.find(name);
    if (found === undefined) throw new Error(`${name} is not in the register`);
    return found;
  }

  /** A condition of the policy, as `status reason: message`. */
  condition(
    name: string,
    type = 'Ready',
    of: typeof clusterImagePolicies | typeof trustRoots = clusterImagePolicies,
  ): string {
    const object = this.cluster.find(of, { name });
    const found: Finding | undefined = object === undefined ? undefined : findCondition(object, type);
    return found === undefined ? 'none' : `${found.status} ${found.reason}: ${found.message}`;
  }

  reasons(): string[] {
    return this.events.map(({ reason }) => reason);
  }

  #log(): Log {
    const note: Log['warn'] = (message, fields) => {
      this.lines.push(`${message} ${JSON.stringify(fields)}`);
    };
    const log: Log = { ...silentLog, warn: note, error: note, child: () => log };
    return log;
  }
}

function answer<Value>(value: Value | AppError): Promise<Value> {
  return value instanceof AppError ? Promise.reject(value) : Promise.resolve(value);
}

/** Authorities for policies of tests. */
export const authorities = {
  secret: (name: string) => ({ key: { secretRef: { name } } }),
  keyless: (more: object = {}) => ({
    keyless: { identities: [{ issuer: 'https://issuer', subject: 'me' }], ...more },
  }),
  cue: (policy: object) => ({
    ...authorities.keyless(),
    attestations: [
      { name: 'sbom', predicateType: 'https://example.com/sbom', policy: { type: 'cue', ...policy } },
    ],
  }),
};

/** A spec for images of registry.example. */
export function specOf(...given: readonly object[]): object {
  return { images: [{ glob: 'registry.example/**' }], authorities: given };
}
