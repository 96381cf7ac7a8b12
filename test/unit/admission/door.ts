import type { AdmissionAnswer } from '../../../src/admission/admission-answer.ts';
import type { AdmissionRequest } from '../../../src/admission/admission-review.ts';
import type { JsonObject } from '../../../src/model/json-object.ts';
import { DecisionRecorder } from '../../../src/admission/decision-recorder.ts';
import { ImageJudging } from '../../../src/admission/image-judging.ts';
import type { ImageStores } from '../../../src/admission/image-stores.ts';
import { MediaTypes } from '../../../src/admission/media-types.ts';
import { pinTags } from '../../../src/admission/tag-pinning.ts';
import { TagResolver } from '../../../src/admission/tag-resolver.ts';
import { VerdictCache } from '../../../src/admission/verdict-cache.ts';
import { validateWorkload } from '../../../src/admission/workload-validation.ts';
import type { EventNotice } from '../../../src/kube/events.ts';
import type { LogFields, Log } from '../../../src/model/log.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { compileClusterPolicy } from '../../../src/policy/policy-compiler.ts';
import type { PolicyReferences } from '../../../src/policy/policy-references.ts';
import { ExceptionRegister } from '../../../src/policy/exception-register.ts';
import { PolicyRegister } from '../../../src/policy/policy-register.ts';
import type { PolicyRules } from '../../../src/policy/policy-register.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import type { AdmissionMetrics } from '../../../src/telemetry/admission-metrics.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';
import { soon } from '../registry/sample-images.ts';

const nothing: PolicyReferences = {
  findTrustRoot: () => Promise.resolve(undefined),
  findSecret: () => Promise.reject(new Error('no Secrets here')),
  findConfigMapEntry: () => Promise.reject(new Error('no ConfigMaps here')),
  fetchRemotePolicy: () => Promise.reject(new Error('no servers here')),
  findKmsKey: () => Promise.reject(new Error('no KMS here')),
};

/** A policy for images of registry.example, or of `glob`. */
export interface TestPolicy {
  readonly name?: string;
  readonly glob?: string;
  readonly mode?: 'enforce' | 'warn';
  readonly annotations?: Readonly<Record<string, string>>;
  readonly authorities: readonly object[];
}

/** How the door is built. */
export interface DoorOptions {
  readonly store: ImageStore;
  readonly policies?: readonly TestPolicy[];
  readonly noMatch?: PolicyRules['noMatch'];
  readonly resolveTags?: boolean;
  readonly unchangedImages?: 'admit' | 'judge';
  readonly problems?: readonly string[];
  readonly isIncomplete?: boolean;
}

/** The webhook without its server. */
export interface Door {
  readonly validate: (request: AdmissionRequest, signal?: AbortSignal) => Promise<AdmissionAnswer>;
  readonly mutate: (request: AdmissionRequest, signal?: AbortSignal) => Promise<AdmissionAnswer>;
  readonly judging: ImageJudging;
  readonly register: PolicyRegister;
  readonly exceptions: ExceptionRegister;
  /** Policies that an exception let an image off. */
  readonly excepted: readonly string[];
  readonly clock: VirtualClock;
  readonly lines: LogFields[];
  readonly events: EventNotice[];
  readonly decisions: Parameters<AdmissionMetrics['decisionMade']>[0][];
  readonly asked: string[];
}

/** Builds a door with compiled policies before a store. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { store, resolveTags = true, unchangedImages = 'admit', problems = [] } = options;
  const clock = new VirtualClock();
  const register = await registerOf(options);
  const seen = { lines: [] as LogFields[], events: [] as EventNotice[], asked: [] as string[] };
  const decisions: Door['decisions'] = [];
  const log = logInto(seen.lines);
  const excepted: string[] = [];
  const exceptions = new ExceptionRegister();
  const metrics: Pick<AdmissionMetrics, 'decisionMade' | 'exceptionUsed' | 'cacheAsked'> = {
    exceptionUsed: (policy) => excepted.push(policy),
    decisionMade: (decision) => decisions.push(decision),
    cacheAsked: (cache, result) => seen.asked.push(`${cache} ${result}`),
  };
  const stores: ImageStores = {
    forWorkload: () => store,
    forSecrets: () => Promise.resolve(store),
    problemsOf: () => Promise.resolve(problems),
  };
  const tags = new TagResolver({ clock, metrics });
  const verdicts = new VerdictCache({
    ...{ entries: 100, admittedForMs: 3_600_000, deniedForMs: 10_000, clock, metrics },
  });
  const mediaTypes = new MediaTypes();
  const judging = new ImageJudging({
    ...{ stores, verdicts, tags, mediaTypes, resolveTags, exceptions, clock },
  });
  const events = { record: (notice: EventNotice) => seen.events.push(notice) };
  const recorder = new DecisionRecorder({ log, events, metrics });
  const validation = { register, judging, recorder, unchangedImages };
  const pinning = { register, stores, tags, resolveTags, log };
  return {
    ...seen,
    ...{ judging, register, exceptions, excepted, clock, decisions },
    validate: (request, signal = soon()) => validateWorkload(request, validation, { signal }),
    mutate: (request, signal = soon()) => pinTags(request, pinning, { signal }),
  };
}

async function registerOf({
  policies = [],
  noMatch = 'deny',
  isIncomplete,
}: DoorOptions): Promise<PolicyRegister> {
  const register = new PolicyRegister();
  register.putRules({ noMatch });
  for (const policy of policies) await putPolicy(register, policy);
  if (isIncomplete !== true) register.complete();
  return register;
}

/** Puts a policy in force. */
export async function putPolicy(register: PolicyRegister, policy: TestPolicy, version = '1'): Promise<void> {
  const { name = 'test', glob = 'registry.example/**', mode = 'enforce', annotations, authorities } = policy;
  const object = {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name, ...(annotations === undefined ? {} : { annotations }) },
    spec: { images: [{ glob }], mode, authorities },
  };
  const engine = { compile: () => Promise.reject(new Error('no engine here')) };
  const compiled = await compileClusterPolicy(parseClusterImagePolicy(object, 'system'), {
    ...{ engine, references: nothing, signal: soon() },
  });
  register.put({ compiled, version });
}

function logInto(lines: LogFields[]): Log {
  const take = (message: string, fields: LogFields = {}): void => {
    lines.push({ message, ...fields });
  };
  const log: Log = { debug: take, info: take, warn: take, error: take, child: () => log };
  return log;
}

/** A Pod with these images. */
export function podOf(images: readonly string[], metadata: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', namespace: 'shop', uid: 'pod-uid', ...metadata },
    spec: { containers: images.map((image, index) => ({ name: `c${index}`, image })) },
  };
}

/** A Deployment whose template has these images. */
export function deploymentOf(
  images: readonly string[],
  spec: JsonObject = {},
  metadata: JsonObject = {},
): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace: 'shop', uid: 'app-uid', ...metadata },
    spec: { replicas: 2, ...spec, template: { spec: { containers: images.map((image) => ({ image })) } } },
  };
}

/** What the API server asks about an object: its creation, or its update if there is an older one. */
export function requestOf(object: JsonObject, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  const [group = '', version = ''] = String(object['apiVersion']).includes('/')
    ? String(object['apiVersion']).split('/')
    : ['', String(object['apiVersion'])];
  return {
    uid: 'review-uid',
    kind: { group, version, kind: String(object['kind']) },
    subResource: '',
    name: nameOf(object),
    namespace: 'shop',
    operation: more.oldObject === undefined ? 'CREATE' : 'UPDATE',
    user: 'alice',
    object,
    dryRun: false,
    ...more,
  };
}

function nameOf({ metadata }: JsonObject): string {
  const { name } = metadata as JsonObject;
  return typeof name === 'string' ? name : '';
}
