import { expect } from 'chai';
import { withGoFlags } from '../../../src/commands/go-flags.ts';

const cases: readonly (readonly [given: string, taken: string])[] = [
  ['verify-blob --insecure-ignore-tlog=true blob', 'verify-blob --insecure-ignore-tlog blob'],
  ['verify-blob --insecure-ignore-tlog=false blob', 'verify-blob blob'],
  ['verify-blob --insecure-ignore-tlog blob', 'verify-blob --insecure-ignore-tlog blob'],
  ['sign-blob --tlog-upload blob', 'sign-blob --tlog-upload=true blob'],
  ['sign-blob --tlog-upload=false blob', 'sign-blob --tlog-upload=false blob'],
  ['sign-blob --new-bundle-format false blob', 'sign-blob --new-bundle-format false blob'],
  ['sign-blob blob --new-bundle-format', 'sign-blob blob --new-bundle-format=true'],
  ['sign-blob -- --yes=true', 'sign-blob -- --yes=true'],
  ['verify --key=true.pem image', 'verify --key=true.pem image'],
];

describe('flags as cosign takes them', () => {
  for (const [given, taken] of cases) {
    it(`takes "${given}"`, () => {
      expect(withGoFlags(given.split(' ')).join(' ')).to.equal(taken);
    });
  }
});
