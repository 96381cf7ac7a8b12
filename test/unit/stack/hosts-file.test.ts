import { expect } from 'chai';

import { withNames, withoutNames } from '../../../hack/stack/hosts-file.ts';

describe('hosts file', () => {
  const before = '127.0.0.1 localhost\n10.0.0.7 build # a neighbour\n';

  it('gets the names in a marked block at its end', () => {
    const after = withNames(before);
    expect(after.startsWith(before)).to.equal(true);
    expect(after).to.match(/\n# chainwright-stack begin\n[\s\S]*127\.0\.10\.2 harbor\.golems\.internal\n/);
    expect(after.endsWith('# chainwright-stack end\n')).to.equal(true);
  });

  it('is the same after adding twice as after adding once', () => {
    expect(withNames(withNames(before))).to.equal(withNames(before));
  });

  it('is as before once the names are removed', () => {
    expect(withoutNames(withNames(before))).to.equal(before);
    expect(withoutNames(before)).to.equal(before);
  });

  it('keeps its last line apart from the block when that line had no end', () => {
    expect(withNames('127.0.0.1 localhost')).to.include('localhost\n# chainwright-stack begin\n');
  });
});
