import { expect } from 'chai';
import { parse } from 'yaml';
import { parseChainsConfig } from '../../../../src/commands/settings/chains-config-document.ts';
import {
  convertChainsConfig,
  formatConverted,
} from '../../../../src/commands/settings/converted-chains-config.ts';
import { formatShown, showSettings } from '../../../../src/commands/settings/shown-settings.ts';
import { isAppError } from '../../../../src/model/errors.ts';
import type { NamedPolicy } from '../../../../src/settings/policy-narrowing.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import { signingPolicySchema } from '../../../../src/settings/signing-policy.ts';

const samples: readonly Readonly<Record<string, string>>[] = [
  { 'transparency.enabled': 'true' },
  {
    'artifacts.taskrun.format': 'slsa/v1',
    'artifacts.taskrun.storage': 'oci, tekton',
    'artifacts.oci.storage': 'oci',
    'transparency.enabled': 'true',
    'transparency.url': 'https://rekor.golems.internal',
    'signers.x509.fulcio.enabled': 'true',
    'signers.x509.fulcio.address': 'https://fulcio.golems.internal',
    'builder.id': 'https://tekton.golems.internal/chains/v2',
    'storage.oci.repository': 'harbor.golems.internal/golem-trust/signatures',
    'storage.oci.repository.insecure': 'true',
    'storage.oci.encoding-format': 'dsse',
    'filter.managed-by': 'kueue, other',
  },
  { 'artifacts.taskrun.signer': 'none', 'artifacts.oci.storage': '', 'builder.id': 'yes', _example: 'x' },
  { unknown: 'x', 'signers.x509.fulcio.enabled': 'yes' },
  {},
];

describe('chainwright settings', () => {
  describe('convert', () => {
    for (const [index, data] of samples.entries()) {
      it(`gives an object that means the same (${index + 1})`, () => {
        const object: unknown = parse(formatConverted(convertChainsConfig(data)));
        expect(resolveSettings({ object }).settings).to.deep.equal(
          resolveSettings({ chainsConfig: data }).settings,
        );
      });
    }

    it('keeps text that YAML 1.1 would take for something else', () => {
      const text = formatConverted(convertChainsConfig({ 'builder.id': 'yes' }));
      expect(text).to.include('builderId: "yes"');
    });

    it('says above the object what is implied, ignored, unknown or refused, and never the value of a secret', () => {
      const { refused, ...converted } = convertChainsConfig({
        'artifacts.oci.signer': 'kms',
        'signers.kms.auth.token': 'hvs.secret',
        'transparancy.url': 'x',
        'storage.oci.repository.insecure': 'maybe',
      });
      const text = formatConverted({ refused, ...converted });
      expect(refused).to.deep.equal(['artifacts.oci.signer']);
      expect(text).to.match(/^# artifacts\.oci\.signer: .*; decide signer\.type yourself$/m);
      expect(text).to.match(/^# signers\.kms\.auth\.token: /m);
      expect(text).to.match(/^# transparancy\.url: is no key that Chains knows/m);
      expect(text).to.match(/^# storage\.oci\.repository\.insecure: "maybe" is no boolean/m);
      expect(text).to.match(/^# transparency\.enabled: is not set, so as with Chains nothing goes/m);
      expect(text).to.not.include('hvs.secret');
    });
  });

  describe('reading a chains-config', () => {
    const refusalOf = (text: string): string => {
      try {
        parseChainsConfig(text, 'file.yaml');
        return '';
      } catch (error) {
        return isAppError(error) ? `${error.code} ${error.message}` : String(error);
      }
    };

    it('takes a ConfigMap in YAML or JSON, one without data, and the data alone', () => {
      const yaml =
        'kind: ConfigMap\napiVersion: v1\nmetadata: {name: chains-config}\ndata:\n  builder.id: x\n';
      const expected = { 'builder.id': 'x' };
      expect(parseChainsConfig(yaml, 'f')).to.deep.equal(expected);
      expect(parseChainsConfig('{"kind":"ConfigMap","data":{"builder.id":"x"}}', 'f')).to.deep.equal(
        expected,
      );
      expect(parseChainsConfig('builder.id: x', 'f')).to.deep.equal(expected);
      expect(parseChainsConfig('transparency.enabled: true', 'f')).to.deep.equal({
        'transparency.enabled': 'true',
      });
      expect(parseChainsConfig('kind: ConfigMap', 'f')).to.deep.equal({});
    });

    it('refuses what is none with ERR_USAGE_CHAINS_CONFIG', () => {
      for (const text of ['[a]', 'a: {b: c}', 'a: 1\na: 2', '{', 'kind: ConfigMap\ndata: [x]']) {
        expect(refusalOf(text), text).to.match(/^ERR_USAGE_CHAINS_CONFIG file\.yaml is no chains-config: /);
      }
    });
  });

  describe('show', () => {
    const object = {
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'ChainwrightConfig',
      metadata: { name: 'default' },
      spec: { controller: { retry: { base: '5s' } }, registries: [{ host: 'r.example', insecure: true }] },
    };
    const resolved = resolveSettings({
      object,
      environment: { COSIGN_REKOR_URL: 'https://rekor.example' },
      chainsConfig: { 'builder.id': 'https://b.example', nonsense: 'x' },
    });
    const policy: NamedPolicy = {
      namespace: 'team',
      name: 'one',
      spec: signingPolicySchema.parse({ sbom: { enabled: false }, log: { url: 'https://else.example' } }),
    };
    const run = { namespace: 'team', labels: {} };

    it('names the source of every field that is not the default', () => {
      const { fields } = showSettings(resolved, { all: false, policies: [] });
      expect(fields.map(({ field, source }) => `${field} ${source}`)).to.include.members([
        'provenance.builderId chains-config',
        'signer.type chains-config',
        'log.url environment',
        'registries object',
        'controller.retry.baseMs object',
      ]);
      expect(fields.filter(({ source }) => source === 'default')).to.deep.equal([]);
      expect(showSettings(resolved, { all: true, policies: [] }).fields.length).to.be.above(fields.length);
    });

    it('tells what becomes of each key of chains-config, and warns', () => {
      const text = formatShown(showSettings(resolved, { all: false, policies: [] }));
      expect(text).to.match(/^nonsense +ignored +is no key that Chains knows/m);
      expect(text).to.match(/^transparency\.enabled +implied/m);
      expect(text).to.include('warning: registries: r.example is spoken to without TLS checks');
    });

    it('tells what holds for a run by the policies of its namespace', () => {
      const shown = showSettings(resolved, { all: false, run, policies: [policy] });
      expect(shown.fields).to.deep.include({
        field: 'sbom.enabled',
        value: 'false',
        source: 'SigningPolicy',
      });
      expect(shown.run?.refused).to.deep.equal(['one: log.url: the ChainwrightConfig has it switched off']);
      const skipping = { ...policy, name: 'skip', spec: signingPolicySchema.parse({ action: 'Skip' }) };
      const text = formatShown(showSettings(resolved, { all: false, run, policies: [policy, skipping] }));
      expect(text).to.include('left unsigned by SigningPolicy skip');
      expect(text).to.include('SigningPolicies that speak of it: one, skip.');
    });

    it('says that nothing is set where nothing is', () => {
      const text = formatShown(showSettings(resolveSettings({}), { all: false, policies: [] }));
      expect(text).to.equal('every field has its default\n');
    });
  });
});
