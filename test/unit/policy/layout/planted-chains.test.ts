import { expect } from 'chai';
import { linkFile, linkOf, outcomeOf, packer, files, signedBy, verifyPlanted } from './layout-scene.ts';
import { accepted, refused } from './planted-chains.ts';

describe('a supply chain and its layout', () => {
  for (const [name, planted] of accepted) {
    it(`holds: ${name}`, async () => {
      expect(await outcomeOf(planted)).to.equal('passed');
    });
  }

  for (const [name, code, planted] of refused) {
    it(`is refused with ${code}: ${name}`, async () => {
      expect(await outcomeOf(planted)).to.equal(code);
    });
  }

  it('is warned of where a step was carried out by another command', async () => {
    const link = linkOf(
      'pack',
      { 'foo.py': files.source },
      { 'foo.tgz': files.archive },
      { command: ['zip'] },
    );
    const { warnings } = await verifyPlanted({
      links: { [linkFile('pack', packer)]: signedBy(link, [packer]) },
    });
    expect(warnings).to.have.length(1);
  });
});
