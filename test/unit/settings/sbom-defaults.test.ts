import { expect } from 'chai';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import { sbomDefaults } from '../../../src/settings/sbom-defaults.ts';

describe('settings: SBOM defaults', () => {
  it('are what an SBOM is made with where no source of settings says anything', () => {
    const { concurrency, maxBytes, publisher } = resolveSettings({}).settings.sbom;
    expect({ concurrency, maxBytes }).to.deep.equal(sbomDefaults);
    expect(publisher).to.equal(undefined);
  });
});
