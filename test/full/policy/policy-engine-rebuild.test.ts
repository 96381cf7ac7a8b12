import { expect } from 'chai';

import { readPairs, readVerdicts } from '../../../hack/policy-engine/corpus.ts';
import { askReference } from '../../../hack/policy-engine/oracle.ts';
import { checkout } from '../../../hack/stack/paths.ts';
import { run } from '../../../hack/stack/process/run.ts';

describe('policy engine, built again', function () {
  this.timeout(30 * 60_000);

  it('has the bytes that are committed', async () => {
    const told = await run(process.execPath, ['hack/policy-engine/build.ts', '--verify'], { cwd: checkout });
    expect(told.match(/: same$/gmu)).to.have.length(2);
  });

  it('is compared with verdicts that the reference still gives', async () => {
    const { verdicts } = await readVerdicts();
    for (const { name, passed, error, warning } of await askReference(await readPairs())) {
      expect({ passed, error, warning }, name).to.deep.equal({
        passed: verdicts[name]?.passed,
        error: verdicts[name]?.error,
        warning: verdicts[name]?.warning,
      });
    }
  });
});
