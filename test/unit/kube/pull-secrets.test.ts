import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { PullSecretSource } from '../../../src/kube/pull-secrets.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { FakeObjects } from './fake-objects.ts';

const namespace = 'team';
const signal = new AbortController().signal;
const encode = (text: string): string => Buffer.from(text).toString('base64');

describe('PullSecretSource', () => {
  let objects: FakeObjects;
  let source: PullSecretSource;

  beforeEach(() => {
    objects = new FakeObjects();
    source = new PullSecretSource({ client: objects, ttlMs: 60_000 });
  });

  function addAccount(name: string, lists: { imagePullSecrets?: string[]; secrets?: string[] }): void {
    const named = (names: string[] = []): { name: string }[] => names.map((secret) => ({ name: secret }));
    objects.add(resourceTypes.serviceAccounts, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace, name },
      imagePullSecrets: named(lists.imagePullSecrets),
      secrets: named(lists.secrets),
    });
  }

  function addSecret(
    name: string,
    type: string,
    data: Record<string, string>,
    annotations: Record<string, string> = {},
  ): void {
    objects.add(resourceTypes.secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name, annotations },
      type,
      data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, encode(value)])),
    });
  }

  async function textsOf(serviceAccount: string): Promise<unknown[]> {
    const { configs } = await source.find({ namespace, serviceAccount }, { signal });
    return configs.map(({ secret, format, bytes }) => [secret, format, Buffer.from(bytes).toString()]);
  }

  it('collects docker configs of every kind from both lists, each Secret once', async () => {
    addAccount('builder', { imagePullSecrets: ['new', 'old'], secrets: ['opaque', 'new', 'tekton', 'ssh'] });
    addSecret('new', 'kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{"auths":{"a":{}}}' });
    addSecret('old', 'kubernetes.io/dockercfg', { '.dockercfg': '{"b":{}}' });
    addSecret('opaque', 'Opaque', { '.dockerconfigjson': '{"auths":{"c":{}}}', other: 'x' });
    addSecret(
      'tekton',
      'kubernetes.io/basic-auth',
      { username: 'u', password: 'p' },
      { 'tekton.dev/docker-0': 'https://d', 'tekton.dev/git-0': 'https://github.com' },
    );
    addSecret('ssh', 'kubernetes.io/ssh-auth', { 'ssh-privatekey': 'k' });
    expect(await textsOf('builder')).to.deep.equal([
      ['team/new', 'config', '{"auths":{"a":{}}}'],
      ['team/old', 'legacy', '{"b":{}}'],
      ['team/opaque', 'config', '{"auths":{"c":{}}}'],
      ['team/tekton', 'config', '{"auths":{"https://d":{"username":"u","password":"p"}}}'],
    ]);
  });

  it('takes the account "default" for an empty name', async () => {
    addAccount('default', { imagePullSecrets: ['new'] });
    addSecret('new', 'kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{}' });
    expect(await textsOf('')).to.have.length(1);
  });

  it('says what is missing or forbidden, and gives the rest', async () => {
    addAccount('builder', { imagePullSecrets: ['missing', 'hidden', 'new'] });
    addSecret('hidden', 'Opaque', {});
    addSecret('new', 'kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{}' });
    const get = objects.get.bind(objects);
    objects.get = (type, ref) => {
      if (ref.name === 'hidden') objects.failNext('get', 'ERR_KUBE_FORBIDDEN');
      return get(type, ref);
    };
    const { configs, problems } = await source.find({ namespace, serviceAccount: 'builder' }, { signal });
    expect(configs).to.have.length(1);
    expect(problems).to.deep.equal([
      'Secret team/missing: missing is not there',
      'Secret team/hidden: get is refused',
    ]);
  });

  it('gives nothing but the reason for an account that is not there', async () => {
    const { configs, problems } = await source.find({ namespace, serviceAccount: 'gone' }, { signal });
    expect([configs, problems]).to.deep.equal([[], ['ServiceAccount team/gone: gone is not there']]);
  });

  it('throws a passing fault such as ERR_KUBE_UNREACHABLE and does not keep it', async () => {
    addAccount('builder', {});
    objects.failNext('get', 'ERR_KUBE_UNREACHABLE');
    const find = (): Promise<unknown> => source.find({ namespace, serviceAccount: 'builder' }, { signal });
    const fault: unknown = await find().catch((error: unknown) => error);
    expect(isAppError(fault) && fault.code).to.equal('ERR_KUBE_UNREACHABLE');
    await find();
  });

  it('reads once for all who ask at the same time, and keeps the answer', async () => {
    addAccount('builder', { imagePullSecrets: ['new'] });
    addSecret('new', 'kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{}' });
    await Promise.all([textsOf('builder'), textsOf('builder')]);
    await textsOf('builder');
    expect(objects.calls).to.have.length(2);
  });

  it('lets one caller leave without taking the reading from another', async () => {
    addAccount('builder', {});
    const stop = new AbortController();
    const leaving = source.find({ namespace, serviceAccount: 'builder' }, { signal: stop.signal });
    const staying = source.find({ namespace, serviceAccount: 'builder' }, { signal });
    stop.abort();
    const fault: unknown = await leaving.catch((error: unknown) => error);
    expect(isAppError(fault) && fault.code).to.equal('ERR_ABORTED');
    expect((await staying).problems).to.deep.equal([]);
  });
});
