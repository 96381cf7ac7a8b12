import { expect } from 'chai';
import { InformerRoll } from '../../../src/kube/informer-roll.ts';

describe('InformerRoll', () => {
  it('tells by resource when the informer that was silent longest was last heard of', () => {
    const roll = new InformerRoll();
    let heardMs = 5000;
    roll.enter({ resource: 'taskruns', heardAtMs: () => 9000 });
    const silent = roll.enter({ resource: 'taskruns', heardAtMs: () => heardMs });
    roll.enter({ resource: 'secrets', heardAtMs: () => 7000 });
    for (const resource of ['taskruns', 'taskruns', 'secrets']) roll.countList(resource);
    heardMs = 6000;
    expect(roll.sightings()).to.deep.equal([
      { resource: 'taskruns', heardAt: new Date(6000), lists: 2 },
      { resource: 'secrets', heardAt: new Date(7000), lists: 1 },
    ]);
    silent[Symbol.dispose]();
    expect(roll.sightings()[0]?.heardAt).to.deep.equal(new Date(9000));
  });
});
