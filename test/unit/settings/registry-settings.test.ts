import { expect } from 'chai';
import { registrySettings } from '../../../src/settings/registry-settings.ts';

describe('settings: of a registry', () => {
  const registries = [
    { host: '*', insecure: true },
    { host: 'harbor.example', caFile: '/ca.crt', insecure: false },
  ];

  it("takes the host's own before those of *", () => {
    expect(registrySettings({ registries }, 'harbor.example').caFile).to.equal('/ca.crt');
    expect(registrySettings({ registries }, 'harbor.example:8443').insecure).to.equal(true);
  });

  it('is secure where nothing is said', () => {
    expect(registrySettings({ registries: [] }, 'a.example')).to.deep.equal({
      host: 'a.example',
      insecure: false,
    });
  });
});
