import { expect } from 'chai';
import { describeFailure, failuresOf, joinAttempts, passedOf } from '../../../hack/test/results.ts';
import type { SuiteResult } from '../../../hack/test/results.ts';

const failure = (title: string) => ({ title, message: `${title} is not true` });

describe('results of a suite', () => {
  const first: SuiteResult = {
    'good.test.ts': { passed: 3, failures: [] },
    'bad.test.ts': { passed: 1, failures: [failure('once'), failure('always')] },
  };

  it('counts what passed and lists what failed, with its file', () => {
    expect(passedOf(first)).to.equal(4);
    expect(failuresOf(first).map(({ file, title }) => `${file} ${title}`)).to.deep.equal([
      'bad.test.ts once',
      'bad.test.ts always',
    ]);
  });

  it('takes the second word on a file that ran again, and names what failed only at first', () => {
    const { result, flaky } = joinAttempts(first, {
      'bad.test.ts': { passed: 2, failures: [failure('always')] },
    });
    expect(passedOf(result)).to.equal(5);
    expect(failuresOf(result).map(({ title }) => title)).to.deep.equal(['always']);
    expect(flaky.map(({ title }) => title)).to.deep.equal(['once']);
  });

  it('knows a failure that is new at the second try', () => {
    const { result, flaky } = joinAttempts(first, {
      'bad.test.ts': { passed: 2, failures: [failure('new')] },
    });
    expect(failuresOf(result).map(({ title }) => title)).to.deep.equal(['new']);
    expect(flaky).to.have.length(2);
  });

  it('keeps a failure to one line of its message', () => {
    const text = describeFailure({ file: 'a.test.ts', title: 'b', message: `first\n${'x'.repeat(1000)}` });
    expect(text.split('\n')).to.have.length(2);
    expect(text).to.have.length.below(500);
  });
});
