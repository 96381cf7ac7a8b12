import { expect } from 'chai';
import { openWorkloadStores } from '../../../../src/commands/webhook/workload-stores.ts';
import type { WorkloadStoreParts } from '../../../../src/commands/webhook/workload-stores.ts';
import type { PullSecrets } from '../../../../src/kube/pull-secrets.ts';
import { parseRepository } from '../../../../src/model/image-reference.ts';
import type { Credentials, CredentialSource } from '../../../../src/registry/credentials.ts';
import type { ImageStore } from '../../../../src/registry/image-store.ts';
import { rejectionOf } from '../../registry/rejection.ts';
import { soon } from '../../registry/sample-images.ts';

function secretOf(user: string): PullSecrets {
  const auths = { 'registry.example': { username: user, password: 'secret' } };
  const bytes = Buffer.from(JSON.stringify({ auths }));
  return { configs: [{ secret: `shop/${user}`, format: 'config', bytes }], problems: [] };
}

const account = { namespace: 'shop', serviceAccount: 'builder', pullSecrets: ['own'] };

describe('the registries as workloads see them', () => {
  let sources: CredentialSource[] = [];
  let asked: string[] = [];
  let problems: readonly string[] = [];

  const open = (): ReturnType<typeof openWorkloadStores> => {
    sources = [];
    asked = [];
    const parts: WorkloadStoreParts = {
      registries: {
        withCredentials: (source) => {
          if (source !== undefined) sources.push(source);
          return { number: sources.length } as unknown as ImageStore;
        },
      },
      pullSecrets: {
        find: ({ namespace, serviceAccount }) => {
          asked.push(`account ${namespace}/${serviceAccount}`);
          return Promise.resolve(secretOf('of-account'));
        },
        findIn: (namespace, names) => {
          asked.push(`secrets ${namespace}/${names.join()}`);
          return Promise.resolve({ ...secretOf('of-pod'), problems });
        },
      },
      ownCredentials: {
        find: () => Promise.resolve([{ kind: 'basic', username: 'process', password: 'x' }]),
      },
      metrics: { cacheAsked: (cache, result) => asked.push(`${cache} ${result}`) },
      log: { warn: () => undefined },
    };
    return openWorkloadStores(parts);
  };
  const users = async (): Promise<readonly string[]> => {
    const found: readonly Credentials[] =
      (await sources.at(-1)?.find(parseRepository('registry.example/app'), { signal: soon() })) ?? [];
    return found.map((one) => (one.kind === 'basic' ? one.username : one.kind));
  };
  beforeEach(() => {
    problems = [];
  });

  it("have the Pod's own credentials first, then its account's, then the process's", async () => {
    open().forWorkload(account);
    expect(await users()).to.deep.equal(['of-pod', 'of-account', 'process']);
  });

  it('read no Secret before a registry asks', () => {
    open().forWorkload(account);
    expect(asked).to.deep.equal(['credentials miss']);
  });

  it('are one for each account', () => {
    const stores = open();
    const store = stores.forWorkload(account);
    expect(stores.forWorkload({ ...account, pullSecrets: ['own'] })).to.equal(store);
    for (const other of [
      { namespace: 'x' },
      { serviceAccount: 'x' },
      { pullSecrets: ['x'] },
      { pullSecrets: [] },
    ]) {
      expect(stores.forWorkload({ ...account, ...other })).to.not.equal(store);
    }
  });

  it('tell why a Secret gave nothing', async () => {
    problems = ['Secret shop/own: not found'];
    expect(await open().problemsOf(account, { signal: soon() })).to.deep.equal(problems);
  });

  it('have the credentials of named Secrets alone where a policy names some', async () => {
    await open().forSecrets('shop', ['signatures'], { signal: soon() });
    expect(asked).to.deep.equal(['secrets shop/signatures']);
    expect(await users()).to.deep.equal(['of-pod']);
  });

  it('are refused with ERR_ADMISSION_PULL_SECRET where a named Secret cannot be used', async () => {
    problems = ['Secret shop/signatures: not found'];
    const fault = await rejectionOf(open().forSecrets('shop', ['signatures'], { signal: soon() }));
    expect([fault.code, fault.kind, fault.message]).to.deep.equal([
      'ERR_ADMISSION_PULL_SECRET',
      'permanent',
      'Secret shop/signatures: not found',
    ]);
  });
});
