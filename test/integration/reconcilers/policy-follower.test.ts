import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { Agent } from 'undici';
import { openStack } from '../../../hack/stack/stack.ts';
import { EventRecorder } from '../../../src/kube/events.ts';
import type { KubeClient } from '../../../src/kube/kube-client.ts';
import { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import { openPolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { PolicyRegister } from '../../../src/policy/policy-register.ts';
import type { RegisteredPolicy } from '../../../src/policy/policy-register.ts';
import { parseTrustRootObject } from '../../../src/policy/trust-root-object.ts';
import { TrustRootSource } from '../../../src/policy/trust-root-source.ts';
import { PolicyFollower } from '../../../src/reconcilers/policy-follower.ts';
import { systemClock as clock } from '../../../src/telemetry/system-clock.ts';
import type { KubeObject } from '../../support/kube-api.ts';
import { patientLimits } from '../../support/patient-limits.ts';
import { trustRootObject, trustRootsPath } from '../../support/trust-root.ts';
import { eventually, openWebhookAccount } from './webhook-account.ts';
import type { WebhookAccount } from './webhook-account.ts';

const policiesPath = '/apis/policy.sigstore.dev/v1beta1/clusterimagepolicies';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime: string;
}

describe('following policies on a real API server, with the rights of the webhook', () => {
  let account: WebhookAccount;
  let closing: AsyncDisposableStack;
  let register: PolicyRegister;
  let follower: PolicyFollower;

  before(async () => {
    closing = new AsyncDisposableStack();
    account = closing.use(await openWebhookAccount());
    closing.defer(removeOwn);
    const stop = new AbortController();
    const log = silentLog;
    const engine = closing.use(openPolicyEngine({ clock, limits: patientLimits }));
    const dispatcher = new Agent();
    closing.defer(() => dispatcher.destroy());
    const { namespace } = account;
    const client = onlyOwn(account);
    register = new PolicyRegister();
    const events = new EventRecorder({ client: account.client, clock, log });
    closing.defer(() => events.close({ deadlineMs: 2000 }));
    follower = new PolicyFollower({
      ...{ client, namespace, register, engine, events, clock, log },
      settings: { policyResyncMs: 3_600_000, trustRootResyncMs: 3_600_000 },
      openTrustRoot: (object) => new TrustRootSource(parseTrustRootObject(object), { dispatcher, clock }),
      defaultTrustRoot: () => Promise.resolve(undefined),
      fetchRemotePolicy: ({ url }) => Promise.reject(away(url)),
      findKmsKey: (uri) => Promise.reject(away(uri)),
      metrics: { faultOccurred: () => undefined },
    });
    const running = follower.run({ signal: stop.signal });
    closing.defer(async () => {
      stop.abort();
      await running;
    });
    await eventually(() => register.inForce);
  });
  after(() => closing.disposeAsync());

  const nameOf = (what: string): string => `${account.stem}-${what}`;
  const inNamespace = (plural: string): string => `/api/v1/namespaces/${account.namespace}/${plural}`;

  async function removeOwn(): Promise<void> {
    for (const path of [policiesPath, trustRootsPath]) {
      for (const { metadata } of await account.api.list(path)) {
        if (metadata.name.startsWith(account.stem)) await account.api.delete(`${path}/${metadata.name}`);
      }
    }
  }

  async function createPolicy(what: string, ...authorities: readonly object[]): Promise<KubeObject> {
    return account.api.create(policiesPath, {
      apiVersion: 'policy.sigstore.dev/v1beta1',
      kind: 'ClusterImagePolicy',
      metadata: { name: nameOf(what) },
      spec: { images: [{ glob: `${account.stem}.example/**` }], authorities },
    });
  }

  function inRegister(
    what: string,
    isMeant: (policy: RegisteredPolicy) => boolean,
  ): Promise<RegisteredPolicy> {
    return eventually(() => {
      const found = register.find(nameOf(what));
      return found !== undefined && isMeant(found) ? found : undefined;
    });
  }

  async function readyOf(path: string, what: string, status: string): Promise<Condition> {
    return eventually(async () => {
      const { status: told } = await account.api.get<{ status?: { conditions?: Condition[] } }>(
        `${path}/${nameOf(what)}`,
      );
      return told?.conditions?.find((one) => one.type === 'Ready' && one.status === status);
    });
  }

  const isSound = ({ compiled }: RegisteredPolicy): boolean => compiled.fault === undefined;
  const isBroken = ({ compiled }: RegisteredPolicy): boolean => compiled.fault !== undefined;
  const putKey = (write: 'create' | 'replace'): Promise<KubeObject> => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const stringData = { pub: publicKey.export({ format: 'pem', type: 'spki' }).toString() };
    const path = inNamespace('secrets');
    const secret = { metadata: { name: 'key' }, stringData };
    return account.api[write](write === 'create' ? path : `${path}/key`, secret);
  };

  it('a policy is in force and says so, once', async () => {
    const begunMs = Date.now();
    await createPolicy('plain', { static: { action: 'fail', message: 'no' } });
    await inRegister('plain', isSound);
    const { lastTransitionTime } = await readyOf(policiesPath, 'plain', 'True');
    // Told in whole seconds.
    expect(Date.parse(lastTransitionTime)).to.be.within(begunMs - 1000, Date.now());
    const event = await eventually(async () => {
      const events = await account.api.list<KubeObject & { involvedObject: { name: string } }>(
        '/api/v1/namespaces/default/events?fieldSelector=reason=PolicyInForce',
      );
      return events.find(({ involvedObject }) => involvedObject.name === nameOf('plain'));
    });
    await account.api.delete(`/api/v1/namespaces/default/events/${event.metadata.name}`);
  });

  it('a Secret that appears and changes makes another version each time', async () => {
    await createPolicy('secret', { key: { secretRef: { name: 'key' } } });
    const first = await inRegister('secret', isBroken);
    expect(first.compiled.fault?.message).to.equal('secret "key" not found');
    await putKey('create');
    const second = await inRegister('secret', isSound);
    await putKey('replace');
    await inRegister('secret', ({ version }) => version !== first.version && version !== second.version);
  });

  it('CUE that does not compile denies, and is mended by a ConfigMap that does', async () => {
    const maps = inNamespace('configmaps');
    await account.api.create(maps, { metadata: { name: 'texts' }, data: { sbom: 'a: [' } });
    await createPolicy('cue', {
      keyless: { identities: [{ issuer: 'https://i', subject: 's' }], trustRootRef: nameOf('cue') },
      attestations: [
        {
          name: 'sbom',
          predicateType: 'https://example.com/sbom',
          policy: { type: 'cue', configMapRef: { name: 'texts', key: 'sbom' } },
        },
      ],
    });
    await account.api.create(trustRootsPath, await trustRootObject(await openStack(), nameOf('cue')));
    const broken = await inRegister('cue', ({ compiled }) => compiled.fault?.code === 'ERR_POLICY_COMPILE');
    expect(broken.compiled.globs).to.have.length(1);
    await readyOf(policiesPath, 'cue', 'False');
    await account.api.replace(`${maps}/texts`, { metadata: { name: 'texts' }, data: { sbom: 'a: 1' } });
    await inRegister('cue', isSound);
    expect(follower.counts().broken).to.equal(0);
  });

  it('a TrustRoot that appears mends the policy that names it, and one that goes breaks it', async () => {
    const identities = [{ issuer: 'https://i', subject: 's' }];
    await createPolicy('root', { keyless: { identities, trustRootRef: nameOf('root') } });
    const broken = await inRegister('root', isBroken);
    expect(broken.compiled.fault?.message).to.include(`trustRootRef ${nameOf('root')} not found`);
    await readyOf(policiesPath, 'root', 'False');
    await account.api.create(trustRootsPath, await trustRootObject(await openStack(), nameOf('root')));
    await inRegister('root', isSound);
    await readyOf(trustRootsPath, 'root', 'True');
    await readyOf(policiesPath, 'root', 'True');
    await account.api.delete(`${trustRootsPath}/${nameOf('root')}`);
    await inRegister('root', isBroken);
  });

  it('the rules of the ConfigMap count', async () => {
    const maps = inNamespace('configmaps');
    expect(register.inForce?.rules.noMatch).to.equal('deny');
    const data = { 'no-match-policy': 'warn' };
    await account.api.create(maps, { metadata: { name: 'config-policy-controller' }, data });
    await eventually(() => (register.inForce?.rules.noMatch === 'warn' ? true : undefined));
  });

  it('a deleted policy goes, with the finalizer that policy-controller left', async () => {
    await createPolicy('gone', { static: { action: 'pass' } });
    await inRegister('gone', isSound);
    const path = `${policiesPath}/${nameOf('gone')}`;
    const finalizers = ['clusterimagepolicies.policy.sigstore.dev'];
    await account.api.mergePatch(path, { metadata: { finalizers } });
    await account.api.delete(path);
    await eventually(() => (register.find(nameOf('gone')) === undefined ? true : undefined));
    expect(await account.api.find(path)).to.equal(undefined);
  });
});

function away(what: string): AppError {
  return new AppError('ERR_POLICY_REFERENCE', `${what} is away`, { kind: 'passing' });
}

/** Others on this API server have policies of their own, with Secrets in other namespaces; those are not ours to judge. */
function onlyOwn({
  client,
  stem,
}: WebhookAccount): Pick<KubeClient, 'listPages' | 'watch' | 'get' | 'apply' | 'mergePatch'> {
  const isMeant = (group: string, name: string): boolean =>
    group !== 'policy.sigstore.dev' || name.startsWith(stem);
  return {
    get: (...call) => client.get(...call),
    apply: (...call) => client.apply(...call),
    mergePatch: (...call) => client.mergePatch(...call),
    async *listPages(type, options) {
      for await (const page of client.listPages(type, options)) {
        yield { ...page, items: page.items.filter(({ metadata }) => isMeant(type.group, metadata.name)) };
      }
    },
    async *watch(type, options) {
      for await (const event of client.watch(type, options)) {
        if (event.type === 'BOOKMARK' || isMeant(type.group, event.object.metadata.name)) yield event;
      }
    },
  };
}
