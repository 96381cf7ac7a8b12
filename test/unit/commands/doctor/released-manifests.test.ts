import { expect } from 'chai';
import { neededRights } from '../../../../src/commands/doctor/checks/rights.ts';
import { missingFields } from '../../../../src/commands/doctor/checks/types.ts';
import { readReleasedRights, readReleasedTypes } from '../../../../src/commands/doctor/released-manifests.ts';

describe('what doctor compares a cluster with', () => {
  it('is every right of every account, placed where the controller lives', async () => {
    const rights = neededRights(await readReleasedRights(), { namespace: 'builds', name: 'signer' });
    const accounts = new Set(rights.map(({ account }) => `${account.namespace}/${account.name}`));
    expect(accounts).to.deep.equal(
      new Set(['builds/signer', 'builds/chainwright-webhook', 'chainwright-monitor/chainwright-monitor']),
    );
    const account = { namespace: 'builds', name: 'signer' };
    expect(rights).to.deep.include.members([
      {
        account,
        role: 'chainwright-controller',
        attributes: { verb: 'create', group: 'chainwright.dev', resource: 'signingrecords' },
      },
      {
        account,
        role: 'chainwright-controller',
        attributes: {
          ...{ verb: 'create', group: '', resource: 'serviceaccounts', subresource: 'token' },
          ...{ name: 'signer', namespace: 'builds' },
        },
      },
    ]);
  });

  it('is every type, and each field of it by its path', async () => {
    const types = await readReleasedTypes();
    expect(types).to.have.length.of.at.least(6);
    const leaf = { type: 'string' };
    const list = { type: 'array', items: { properties: { a: leaf, b: leaf } } };
    const wanted = { properties: { spec: { properties: { list, old: leaf } }, status: leaf } };
    const present = {
      properties: {
        spec: { properties: { list: { items: { properties: { a: leaf } } }, old: leaf } },
        status: leaf,
      },
    };
    expect(missingFields(wanted, present)).to.deep.equal(['spec.list[].b']);
    expect(missingFields(wanted, { 'x-kubernetes-preserve-unknown-fields': true })).to.deep.equal([]);
    expect(missingFields(wanted, undefined)).to.deep.equal(['spec', 'status']);
    expect(missingFields(types[0], types[0])).to.deep.equal([]);
  });
});
