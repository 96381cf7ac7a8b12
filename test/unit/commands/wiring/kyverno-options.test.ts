import { expect } from 'chai';
import { kyvernoOptionsOf } from '../../../../src/commands/wiring/kyverno-options.ts';
import { settingsSchema } from '../../../../src/settings/settings-schema.ts';

describe('how policies are exported to Kyverno, by the settings', () => {
  const exceptionsBy = (exceptions: object): string =>
    kyvernoOptionsOf(settingsSchema.parse({ exceptions })).exceptions;

  it('exceptions are missed there where some namespace has them honoured', () => {
    expect(exceptionsBy({ enabled: true, namespaces: ['shop'] })).to.equal('honoured');
    expect(exceptionsBy({ enabled: true, namespaces: [] })).to.equal('off');
    expect(exceptionsBy({ enabled: false, namespaces: ['shop'] })).to.equal('off');
  });
});
