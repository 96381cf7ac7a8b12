import { expect } from 'chai';
import { formatFieldFaults } from '../../../src/policy/field-fault.ts';
import { keyFaults, keylessFaults } from '../../../src/policy/key-rules.ts';
import { newAuthorityChain } from '../../support/certificate-chains.ts';
import { makeKey } from './key-evidence.ts';

const identities = [{ issuer: 'https://a', subject: 'b' }];

describe('rules for keys', () => {
  it('take for ca-cert the certificate of an authority or a public key, and nothing else', async () => {
    const { root, intermediate, leaf } = await newAuthorityChain();
    const { pem } = await makeKey();
    const faultsOf = (data: string): string =>
      formatFieldFaults(keylessFaults({ identities, 'ca-cert': { data } }, 'spec.keyless', 'ns'));
    for (const good of [root, `${intermediate}\n${root}`, pem]) expect(faultsOf(good)).to.equal('');
    for (const bad of [leaf, `${root}\n${leaf}`, '---somedata---']) {
      expect(faultsOf(bad)).to.equal(`invalid value: ${bad}: spec.keyless.ca-cert.data`);
    }
  });

  it('take for a key no certificate', async () => {
    const { root } = await newAuthorityChain();
    const faults = keyFaults({ data: root }, 'spec.key', { namespace: 'ns' });
    expect(formatFieldFaults(faults)).to.equal(`invalid value: ${root}: spec.key.data`);
  });

  it('take the four hashes in any case, and no other', async () => {
    const { pem: data } = await makeKey();
    const faultsOf = (hashAlgorithm: string): string =>
      formatFieldFaults(keyFaults({ data, hashAlgorithm }, 'spec.key', { namespace: 'ns' }));
    for (const name of ['', 'sha224', 'SHA256', ' sha384 ', 'Sha512']) {
      expect(faultsOf(name), name).to.equal('');
    }
    for (const name of ['sha1', 'md5', 'shaINVALID', 'toString']) {
      expect(faultsOf(name)).to.equal(`invalid value: ${name}: spec.key.hashAlgorithm`);
    }
  });
});
