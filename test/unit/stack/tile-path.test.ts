import { expect } from 'chai';

import { tilePath } from '../../../hack/stack/rekor2/tile-path.ts';

describe("the read side of the stack's Rekor v2", () => {
  it('finds checkpoint, tiles and entry bundles', () => {
    expect(tilePath('/api/v2/checkpoint')).to.equal('checkpoint');
    expect(tilePath('/api/v2/tile/0/x001/234.p/5?now')).to.equal('tile/0/x001/234.p/5');
    expect(tilePath('/api/v2/tile/entries/000')).to.equal('tile/entries/000');
  });

  it('leaves alone everything else, and what would climb out of the folder', () => {
    for (const url of [
      '/api/v2/log/entries',
      '/healthz',
      '/api/v2/tile/../../certs',
      '/api/v2/tile/0/0/../000',
    ]) {
      expect(tilePath(url), url).to.equal(undefined);
    }
  });
});
