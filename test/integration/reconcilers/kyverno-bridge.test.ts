import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { builtPath } from '../../../hack/stack/build/binaries.ts';
import { kubectl, openStack } from '../../../hack/stack/stack.ts';
import { componentNamed } from '../../../hack/stack/versions.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { silentLog } from '../../../src/model/log.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { openPolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { exportToKyverno } from '../../../src/policy/kyverno/image-validating-policy.ts';
import { compileClusterPolicy } from '../../../src/policy/policy-compiler.ts';
import { PolicyRegister } from '../../../src/policy/policy-register.ts';
import { KyvernoBridge } from '../../../src/reconcilers/kyverno-bridge.ts';
import { KyvernoPolicies } from '../../../src/reconcilers/kyverno-policies.ts';
import { loadTrustRoot } from '../../../src/signing/trust-root.ts';
import { systemClock as clock } from '../../../src/telemetry/system-clock.ts';
import { patientLimits } from '../../support/patient-limits.ts';
import { policiesPath } from '../../support/runbook-policy.ts';
import { eventually, grantBesides, openWebhookAccount } from './webhook-account.ts';
import type { WebhookAccount } from './webhook-account.ts';

const crdFile = join(
  builtPath(componentNamed('kyverno-crds')),
  'policies.kyverno.io_imagevalidatingpolicies.yaml',
);
const fixtures = new URL('../../fixtures/kyverno/', import.meta.url);
const options = {
  namespaceSelector: { matchLabels: { 'sigstore-policy': 'enforce' } },
  unchangedImages: 'admit',
  exceptions: 'off',
} as const;

interface Crd {
  readonly spec: { readonly versions: { name: string; served: boolean }[] };
}

interface Kept extends KubeObject {
  readonly spec: object;
  readonly metadata: KubeObject['metadata'] & {
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
}

describe("policies for Kyverno on a real API server, with Kyverno's own CRD and the rights of the webhook", () => {
  let account: WebhookAccount;
  let closing: AsyncDisposableStack;
  let register: PolicyRegister;
  let bridge: KyvernoBridge;
  let isOn = true;
  const owners = new Map<string, KubeObject>();

  before(async () => {
    closing = new AsyncDisposableStack();
    account = closing.use(await openWebhookAccount());
    closing.use(await grantBesides(account, 'kyverno/rbac.yaml'));
    closing.defer(async () => {
      await uninstall();
      for (const name of owners.keys()) await account.api.delete(`${policiesPath}/${name}`);
    });
    register = new PolicyRegister();
    const stop = new AbortController();
    const log = silentLog;
    const policies = new KyvernoPolicies(account.client);
    bridge = new KyvernoBridge({
      ...{ policies, register, clock, log },
      options: () => (isOn ? options : undefined),
      findPolicy: (name) => owners.get(name),
      onRemark: () => undefined,
    });
    for (const name of ['runbook', 'keys', 'limits']) await put(name);
    register.complete();
    const running = bridge.run({ signal: stop.signal });
    closing.defer(async () => {
      stop.abort();
      await running;
    });
  });
  after(() => closing.disposeAsync());

  const nameOf = (what: string): string => `${account.stem}-${what}`;
  const pathOf = (name: string, version = 'v1'): string =>
    `/apis/policies.kyverno.io/${version}/imagevalidatingpolicies/${name}`;

  /** Compiles a fixture, and creates it, so that there is an owner. */
  async function put(what: string): Promise<void> {
    const value = parse(await readFile(new URL(`${what}.yaml`, fixtures), 'utf8')) as KubeObject;
    const named = { ...value, metadata: { ...value.metadata, name: nameOf(what) } };
    const draft = { ...named, apiVersion: 'policy.sigstore.dev/v1alpha1' };
    owners.set(nameOf(what), { ...draft, ...(await account.api.create(policiesPath, draft)) });
    const stack = await openStack();
    const root = await loadTrustRoot(stack.trustedRoot, { signal: AbortSignal.timeout(60_000) });
    const engine = closing.use(openPolicyEngine({ clock, limits: patientLimits }));
    const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
    const compiled = await compileClusterPolicy(parseClusterImagePolicy(named, account.namespace), {
      engine,
      references: {
        findTrustRoot: () => Promise.resolve(root),
        findSecret: none,
        findConfigMapEntry: none,
        fetchRemotePolicy: none,
        findKmsKey: none,
      },
      signal: AbortSignal.timeout(60_000),
    });
    register.put({ compiled, version: nameOf(what) });
  }

  async function install(versions: readonly string[]): Promise<void> {
    const crd = parse(await readFile(crdFile, 'utf8')) as Crd;
    for (const version of crd.spec.versions) version.served = versions.includes(version.name);
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], stringify(crd));
    await kubectl(['wait', '--for=condition=Established', '--timeout=120s', '-f', '-'], stringify(crd));
  }

  async function uninstall(): Promise<void> {
    await kubectl(['delete', '--ignore-not-found', '--wait', '-f', crdFile]);
  }

  async function kept(what: string, version?: string): Promise<Kept | undefined> {
    bridge.wake();
    return account.api.find<Kept>(pathOf(what, version));
  }

  function reasonOf(what: string): string | undefined {
    bridge.wake();
    const owner = owners.get(nameOf(what)) ?? expect.fail('there is no such policy');
    return bridge.remarks(owner)[0]?.reason;
  }

  const become = (what: string, reason: string): Promise<true> =>
    eventually(() => (reasonOf(what) === reason ? (true as const) : undefined));

  it('without Kyverno nothing happens, and the policies say so', async () => {
    await become('runbook', 'KyvernoAbsent');
  });

  it('once its CRD is there, every policy is taken by its schema, field by field, and is owned', async () => {
    await install(['v1', 'v1beta1']);
    for (const what of ['runbook', 'keys', 'limits']) {
      const found = await eventually(() => kept(nameOf(what)));
      expect(found.metadata.ownerReferences?.map(({ uid }) => uid)).to.deep.equal([
        owners.get(nameOf(what))?.metadata.uid,
      ]);
      const compiled = register.find(nameOf(what))?.compiled ?? expect.fail('it is not registered');
      const { policy } = exportToKyverno(compiled, { ...options, version: 'v1' });
      expect(lackOf(found.spec, policy.spec)).to.deep.equal([]);
      await become(what, 'Exported');
    }
    await eventually(() => kept('chainwright-unmatched'));
  });

  it('what somebody changes is mended; what somebody made of that name is left alone', async () => {
    await account.api.mergePatch(pathOf(nameOf('keys')), {
      spec: { validations: [{ expression: 'true', message: 'open' }] },
    });
    await eventually(async () =>
      JSON.stringify((await kept(nameOf('keys')))?.spec).includes('verifyAttestationSignatures')
        ? true
        : undefined,
    );
    const foreign = { validationActions: ['Audit'] };
    await account.api.create('/apis/policies.kyverno.io/v1/imagevalidatingpolicies', {
      apiVersion: 'policies.kyverno.io/v1',
      kind: 'ImageValidatingPolicy',
      metadata: { name: nameOf('foreign') },
      spec: { ...foreign, attestors: [], validations: [{ expression: 'true' }] },
    });
    const source = register.find(nameOf('keys'))?.compiled ?? expect.fail('it is not registered');
    register.put({ compiled: { ...source, mode: 'enforce', name: nameOf('foreign') }, version: 'foreign' });
    const owner = owners.get(nameOf('keys')) ?? expect.fail('there is no owner');
    await eventually(() => {
      bridge.wake();
      const [told] = bridge.remarks({ ...owner, metadata: { ...owner.metadata, name: nameOf('foreign') } });
      return told?.reason === 'NameTaken' ? true : undefined;
    });
    const found = await account.api.get<Kept & { spec: typeof foreign }>(pathOf(nameOf('foreign')));
    expect(found.spec.validationActions).to.deep.equal(['Audit']);
    await eventually(() => kept('chainwright-unchecked'));
    register.remove(nameOf('foreign'));
    await become('keys', 'Exported');
    await eventually(async () => ((await kept('chainwright-unchecked')) === undefined ? true : undefined));
    expect(await kept(nameOf('foreign'))).not.to.equal(undefined);
  });

  it('with its policy gone it goes', async () => {
    register.remove(nameOf('limits'));
    await eventually(async () => ((await kept(nameOf('limits'))) === undefined ? true : undefined));
  });

  it('where v1beta1 alone is served, that is written; a CRD that is removed harms nothing, nor one that comes back', async () => {
    await install(['v1beta1']);
    await account.api.delete(pathOf(nameOf('keys'), 'v1beta1'));
    await eventually(() => kept(nameOf('keys'), 'v1beta1'));
    await uninstall();
    await become('runbook', 'KyvernoAbsent');
    await install(['v1', 'v1beta1']);
    await eventually(() => kept(nameOf('runbook')));
  });

  it('switched off, ours are deleted and nothing else is', async () => {
    await account.api.create('/apis/policies.kyverno.io/v1/imagevalidatingpolicies', {
      apiVersion: 'policies.kyverno.io/v1',
      kind: 'ImageValidatingPolicy',
      metadata: { name: nameOf('theirs'), labels: { 'app.kubernetes.io/managed-by': 'chainwright' } },
      spec: { attestors: [], validations: [{ expression: 'true' }] },
    });
    isOn = false;
    await eventually(async () => ((await kept(nameOf('runbook'))) === undefined ? true : undefined));
    // They go one after the other.
    await eventually(async () => ((await kept('chainwright-unmatched')) === undefined ? true : undefined));
    expect(await kept(nameOf('theirs'))).not.to.equal(undefined);
  });
});

/** Paths of what was sent and is not there: the API server drops fields that a schema does not know. */
function lackOf(found: unknown, sent: unknown, path = ''): readonly string[] {
  if (typeof sent !== 'object' || sent === null) return found === sent ? [] : [path];
  if (typeof found !== 'object' || found === null) return [path];
  return Object.entries(sent).flatMap(([name, value]) =>
    lackOf(Reflect.get(found, name), value, `${path}/${name}`),
  );
}
