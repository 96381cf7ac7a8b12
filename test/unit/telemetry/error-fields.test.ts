import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { errorFields } from '../../../src/telemetry/error-fields.ts';

describe('telemetry: error fields', () => {
  it('tells code, kind, object and remedy of our errors, without a stack', () => {
    const error = new AppError('ERR_X_Y', 'broken', { kind: 'passing', object: 'a/b', remedy: 'Wait.' });
    expect(errorFields(error)).to.deep.equal({
      error: 'broken',
      code: 'ERR_X_Y',
      faultKind: 'passing',
      object: 'a/b',
      remedy: 'Wait.',
      stack: undefined,
    });
  });

  it('takes anything else for a bug and shows where it comes from', () => {
    const fields = errorFields(new TypeError('x is undefined'));
    expect(fields).to.include({ error: 'x is undefined', code: 'ERR_UNEXPECTED', faultKind: 'bug' });
    expect(fields['stack']).to.include('error-fields.test.ts');
    expect(errorFields('text')).to.include({ error: 'text' });
  });
});
