import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FindingId } from '../../src/commands/doctor/finding-table.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { settingsFile } from './chainwright-process.ts';
import type { KubeApi, KubeObject } from './kube-api.ts';
import { LogFront } from './log-front.ts';
import { policiesPath, readRunbookPolicy } from './runbook-policy.ts';
import type { PolicyDocument } from './runbook-policy.ts';
import type { Scene } from './scene.ts';
import { createConfigurations } from './webhook-configurations.ts';

type Entry = Readonly<Record<string, unknown>>;

/** A healthy installation that faults are planted into. */
export interface DoctorScene extends Scene {
  /** For files; goes at the end. */
  readonly folder: string;
  readonly trustedRoot: Entry &
    Readonly<Record<'tlogs' | 'ctlogs' | 'timestampAuthorities', readonly Entry[]>>;
}

/** A fault that is there now. */
interface Planted {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly heal?: () => Promise<unknown>;
}

interface PlantableFault {
  readonly what: string;
  readonly ids: readonly FindingId[];
  /** The checks that are made. */
  readonly checks: readonly string[];
  readonly plant: (scene: DoctorScene) => Promise<Planted>;
}

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const monitors = '/apis/chainwright.dev/v1alpha1/logmonitors';
const configuration = '/apis/chainwright.dev/v1alpha1/chainwrightconfigs/default';
const own = '/api/v1/namespaces/tekton-chains';
const copy = 'doctor-copy';

/** Faults one by one, each with what doctor has to call it. */
export const plantedFaults: readonly PlantableFault[] = [
  {
    what: 'the controller may not write SigningRecords any more',
    ids: ['right-missing'],
    checks: ['rights'],
    plant: ({ api }) =>
      patched(api, '/apis/rbac.authorization.k8s.io/v1/clusterroles/chainwright-controller', (role) => ({
        rules: (role['rules'] as readonly { readonly resources: readonly string[] }[]).filter(
          ({ resources }) => !resources.includes('signingrecords'),
        ),
      })),
  },
  {
    what: 'the account has another name',
    ids: ['account-missing'],
    checks: ['rights'],
    plant: () => Promise.resolve({ args: ['--service-account', 'nobody'] }),
  },
  {
    what: 'a type is switched off',
    ids: ['crd-not-served'],
    checks: ['types'],
    plant: ({ api }) => patchedType(api, [{ op: 'replace', path: '/spec/versions/0/served', value: false }]),
  },
  {
    what: 'a type is of an older release',
    ids: ['crd-outdated'],
    checks: ['types'],
    plant: ({ api }) => {
      const status = '/spec/versions/0/schema/openAPIV3Schema/properties/status/properties';
      return patchedType(api, [{ op: 'remove', path: `${status}/lastAlarm` }]);
    },
  },
  {
    what: 'chains-config has a format that there is not',
    ids: ['settings-invalid'],
    checks: ['settings'],
    plant: ({ api }) => chainsConfig(api, { 'artifacts.taskrun.format': 'slsa/v9' }),
  },
  {
    what: 'chains-config has a key that nobody knows',
    ids: ['settings-key-ignored'],
    checks: ['settings'],
    plant: ({ api }) => chainsConfig(api, { 'artifacts.taskrun.formatt': 'slsa/v1' }),
  },
  {
    what: 'the settings name a key that is not there',
    ids: ['settings-not-in-force'],
    checks: ['settings'],
    plant: async ({ api }) => {
      const signer = { type: 'key', key: { secret: { namespace: 'tekton-chains', name: 'absent' } } };
      await api.mergePatch(configuration, { spec: { signer } });
      return {
        heal: () => api.mergePatch(configuration, { spec: { signer: { type: null, key: null } } }),
      };
    },
  },
  {
    what: 'nothing shall be signed',
    ids: ['signing-off'],
    checks: ['settings'],
    plant: (scene) => withSettings(scene, { signer: { type: 'none' } }),
  },
  {
    what: 'the settings name another issuer',
    ids: ['issuer-mismatch'],
    checks: ['token'],
    plant: (scene) =>
      withSettings(scene, { signer: { fulcio: { issuer: 'https://kubernetes.example.com' } } }),
  },
  {
    what: 'Fulcio does not know the cluster',
    ids: ['fulcio-issuer-unknown'],
    checks: ['fulcio'],
    plant: (scene) =>
      behindFulcio(scene, (body) => body.replaceAll(scene.stack.issuer, 'https://elsewhere.example.com')),
  },
  {
    what: 'tokens are for an audience that Fulcio does not want',
    ids: ['fulcio-audience', 'fulcio-refused'],
    checks: ['fulcio'],
    plant: (scene) => withSettings(scene, { signer: { fulcio: { audience: 'another' } } }),
  },
  {
    what: 'Fulcio is away',
    ids: ['unreachable'],
    checks: ['fulcio'],
    plant: (scene) => withSettings(scene, { signer: { fulcio: { url: 'http://127.0.0.1:9' } } }),
  },
  {
    what: 'the trust root has another certificate log',
    ids: ['sct-untrusted'],
    checks: ['fulcio'],
    plant: (scene) => withTrustedRoot(scene, { ctlogs: scene.trustedRoot.tlogs }),
  },
  {
    what: 'the trust root has another certificate authority',
    ids: ['certificate-untrusted'],
    checks: ['fulcio'],
    plant: (scene) =>
      withTrustedRoot(scene, { certificateAuthorities: scene.trustedRoot.timestampAuthorities }),
  },
  {
    what: 'the trust root has an older key of Rekor',
    ids: ['log-key-untrusted'],
    checks: ['trust-root'],
    plant: (scene) => withTrustedRoot(scene, { tlogs: scene.trustedRoot.ctlogs }),
  },
  {
    what: 'the trust root is cut off',
    ids: ['trust-root-invalid'],
    checks: ['trust-root'],
    plant: async ({ folder, stack }) => {
      const file = join(folder, 'cut.json');
      await writeFile(file, (await readFile(stack.trustedRoot, 'utf8')).slice(0, 400));
      return { args: ['--trusted-root', file] };
    },
  },
  {
    what: 'a policy asks for what Fulcio writes for issuers of type kubernetes',
    ids: ['subject-never-issued'],
    checks: ['fulcio'],
    plant: (scene) =>
      policy(scene, ({ spec }) => {
        for (const { keyless } of spec.authorities) {
          for (const identity of keyless?.identities ?? []) {
            identity.subjectRegExp = '^https://kubernetes.io/namespaces/.*';
          }
        }
      }),
  },
  {
    what: 'a policy is about a tag',
    ids: ['policy-glob'],
    checks: ['policies'],
    plant: (scene) =>
      policy(scene, ({ spec }) => {
        spec.images = [{ glob: `${scene.stack.registry}/tagged:v1` }];
      }),
  },
  {
    what: 'a policy names a TrustRoot that is gone',
    ids: ['policy-trust-root'],
    checks: ['policies'],
    plant: (scene) =>
      policy(scene, ({ spec }) => {
        for (const { keyless } of spec.authorities) if (keyless) keyless.trustRootRef = 'gone';
      }),
  },
  {
    what: 'a policy has CUE that does not compile',
    ids: ['policy-broken'],
    checks: ['policies'],
    plant: (scene) =>
      policy(scene, ({ spec }) => {
        for (const one of spec.authorities.flatMap(({ attestations }) => attestations)) {
          one.policy = { type: 'cue', data: 'predicate: {' };
        }
      }),
  },
  {
    what: 'the account of the registry may only read',
    ids: ['registry-push-denied'],
    checks: ['registry'],
    plant: async (scene) => ({
      ...(await registryAccount(scene, scene.stack.reader)),
      args: ['--registry', `${scene.stack.registry}/doctor`],
    }),
  },
  {
    what: 'the password of the registry is an old one',
    ids: ['registry-pull-denied'],
    checks: ['registry'],
    plant: async (scene) => ({
      ...(await registryAccount(scene, { ...scene.stack.robot, password: 'an old one' })),
      args: ['--read-only', '--registry', `${scene.stack.registry}/doctor`],
    }),
  },
  {
    what: 'the authority of the registry is not mounted',
    ids: ['registry-authority'],
    checks: ['registry'],
    plant: ({ stack }) =>
      Promise.resolve({ env: { SSL_CERT_FILE: '' }, args: ['--registry', `${stack.registry}/doctor`] }),
  },
  {
    what: 'the webhook configurations are gone',
    ids: ['webhook-missing'],
    checks: ['webhook'],
    plant: () => Promise.resolve({ args: ['--webhook-name', 'gone'] }),
  },
  {
    what: 'the caBundle is of another authority, and nobody listens',
    ids: ['webhook-bundle', 'webhook-unreachable'],
    checks: ['webhook'],
    plant: (scene) => copiedWebhook(scene),
  },
  {
    what: 'nobody listens, and that admits everything',
    ids: ['webhook-fails-open', 'webhook-admits-all'],
    checks: ['webhook'],
    plant: (scene) => copiedWebhook(scene, { failurePolicy: 'Ignore' }),
  },
  {
    what: 'the webhook judges the namespace that it lives in',
    ids: ['webhook-own-namespace'],
    checks: ['webhook'],
    plant: (scene) =>
      copiedWebhook(scene, {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'tekton-chains' } },
      }),
  },
  {
    what: 'no namespace is labelled',
    ids: ['namespace-none-judged'],
    checks: ['webhook'],
    plant: (scene) =>
      copiedWebhook(scene, { namespaceSelector: { matchLabels: { 'sigstore-policy': 'nowhere' } } }),
  },
  {
    what: 'the clock of Rekor goes wrong',
    ids: ['clock-skew'],
    checks: ['clock'],
    plant: async (scene) => {
      const front = await LogFront.open(scene.stack.rekorUrl);
      front.date = new Date(Date.now() + 600_000);
      return {
        ...(await withSettings(scene, { log: { url: front.url } })),
        heal: () => front[Symbol.asyncDispose](),
      };
    },
  },
  {
    what: 'the replicas that shared work by Leases are gone',
    ids: ['lease-stale'],
    checks: ['leases'],
    plant: ({ api }) => {
      const labels = { 'chainwright.dev/lease-group': 'doctor-test' };
      const spec = {
        holderIdentity: 'gone',
        leaseDurationSeconds: 10,
        renewTime: new Date(Date.now() - 3_600_000).toISOString().replace('Z', '000Z'),
      };
      const path = '/apis/coordination.k8s.io/v1/namespaces/tekton-chains/leases';
      return created(api, path, { metadata: { name: 'doctor-test', labels }, spec });
    },
  },
  {
    what: 'a LogMonitor names a TrustRoot that is gone',
    ids: ['monitor-broken', 'monitor-behind'],
    checks: ['monitors'],
    plant: ({ api, stack }) =>
      created(api, monitors, {
        ...{ apiVersion: 'chainwright.dev/v1alpha1', kind: 'LogMonitor' },
        metadata: { name: 'doctor-planted' },
        spec: {
          log: { url: stack.rekorUrl, apiVersion: 1 },
          trustRootRef: 'doctor-planted',
          identities: [{ subject: 'https://example.com/nobody', issuer: stack.issuer }],
        },
      }),
  },
  {
    what: 'Tekton Chains still runs',
    ids: ['chains-running'],
    checks: ['chains'],
    plant: async (scene) => {
      const namespace = await scene.namespace('chains');
      const name = 'tekton-chains-controller';
      const labels = { app: name, 'app.kubernetes.io/part-of': 'tekton-chains' };
      const image = 'ghcr.io/tektoncd/chains/controller:v0.28.1';
      const template = { metadata: { labels }, spec: { containers: [{ name, image }] } };
      const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template };
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
      return created(scene.api, path, { metadata: { name, labels }, spec });
    },
  },
];

async function created(
  api: KubeApi,
  path: string,
  body: {
    readonly metadata: { readonly name: string; readonly labels?: Entry };
    readonly [field: string]: unknown;
  },
): Promise<Planted> {
  await api.create(path, body);
  return { heal: () => api.delete(`${path}/${body.metadata.name}`) };
}

/** Changes fields of an object for a while. */
async function patched(
  api: KubeApi,
  path: string,
  change: (object: KubeObject) => Readonly<Record<string, unknown>>,
): Promise<Planted> {
  const before = await api.get(path);
  const fields = change(before);
  await api.mergePatch(path, fields);
  const old = Object.fromEntries(Object.keys(fields).map((name) => [name, before[name]]));
  return { heal: () => api.mergePatch(path, old) };
}

async function patchedType(api: KubeApi, operations: readonly unknown[]): Promise<Planted> {
  const path = `${crds}/logmonitors.chainwright.dev`;
  const { spec } = await api.get(path);
  await api.jsonPatch(path, operations);
  return { heal: () => api.jsonPatch(path, [{ op: 'replace', path: '/spec', value: spec }]) };
}

async function chainsConfig(api: KubeApi, data: Readonly<Record<string, string>>): Promise<Planted> {
  return created(api, `${own}/configmaps`, { metadata: { name: 'chains-config' }, data });
}

/** Settings from a file, otherwise those of the stack. */
async function withSettings({ folder, stack }: DoctorScene, settings: SettingsInput): Promise<Planted> {
  const file = join(folder, 'settings.yaml');
  const { signer = {} } = settings;
  const fulcio = { url: stack.fulcioUrl, ...signer.fulcio };
  const all = { log: { url: stack.rekorUrl }, ...settings, signer: { ...signer, fulcio } };
  await writeFile(file, settingsFile(all));
  return { args: ['--config', file] };
}

async function behindFulcio(scene: DoctorScene, edit: (body: string) => string): Promise<Planted> {
  const front = await LogFront.open(scene.stack.fulcioUrl);
  front.edit = (path, body) => (path.endsWith('/configuration') ? edit(body) : body);
  const planted = await withSettings(scene, { signer: { fulcio: { url: front.url } } });
  return { ...planted, heal: () => front[Symbol.asyncDispose]() };
}

async function withTrustedRoot(
  { folder, trustedRoot }: DoctorScene,
  change: Readonly<Record<string, unknown>>,
): Promise<Planted> {
  const file = join(folder, 'changed-root.json');
  await writeFile(file, JSON.stringify({ ...trustedRoot, ...change }));
  return { args: ['--trusted-root', file] };
}

/** One more policy, the runbook's with a change. */
async function policy(
  { api, stack }: DoctorScene,
  change: (policy: PolicyDocument) => void,
): Promise<Planted> {
  const document = await readRunbookPolicy();
  document.metadata.name = 'doctor-planted';
  document.spec.images = [{ glob: `${stack.registry}/doctor-planted**` }];
  change(document);
  return created(api, policiesPath, { ...document, metadata: document.metadata });
}

async function registryAccount(
  { api, stack }: DoctorScene,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<Planted> {
  const [host = ''] = stack.registry.split('/');
  const auths = { [host]: { auth: Buffer.from(`${user}:${password}`).toString('base64') } };
  const config = Buffer.from(JSON.stringify({ auths })).toString('base64');
  return patched(api, `${own}/secrets/registry-credentials`, () => ({
    data: { '.dockerconfigjson': config },
  }));
}

/** Our configurations under another name, which nobody keeps, with nobody at their address. */
async function copiedWebhook(
  { api, stack }: DoctorScene,
  change: Readonly<Record<string, unknown>> = {},
): Promise<Planted> {
  const authority = await readFile(stack.ca, 'utf8');
  const copied = await createConfigurations(api, { name: copy, origin: 'https://localhost:9', authority });
  const path = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${copy}`;
  if (Object.keys(change).length > 0) {
    const { webhooks } = await api.get<KubeObject & { readonly webhooks: readonly object[] }>(path);
    await api.mergePatch(path, { webhooks: webhooks.map((webhook) => ({ ...webhook, ...change })) });
    await api.delete(path.replace('validating', 'mutating'));
  }
  return { args: ['--webhook-name', copy], heal: async () => copied[Symbol.asyncDispose]() };
}
