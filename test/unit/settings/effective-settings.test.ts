import { expect } from 'chai';
import fc from 'fast-check';
import { effectiveSettings, findConflicts } from '../../../src/settings/effective-settings.ts';
import { judgeFields } from '../../../src/settings/policy-narrowing.ts';
import type { NamedPolicy } from '../../../src/settings/policy-narrowing.ts';
import type { RunFacts } from '../../../src/settings/policy-selection.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { Settings } from '../../../src/settings/settings-schema.ts';
import { signingPolicySchema } from '../../../src/settings/signing-policy.ts';

const builder = 'https://tekton.golems.internal/chains/v2';
const clusterOf = (spec: object = {}): Settings =>
  resolveSettings({
    object: {
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'ChainwrightConfig',
      metadata: { name: 'default' },
      spec: { provenance: { builderId: builder }, ...spec },
    },
  }).settings;
const policyOf = (spec: unknown, name = 'one', namespace = 'team-a'): NamedPolicy => ({
  namespace,
  name,
  spec: signingPolicySchema.parse(spec),
});
const run: RunFacts = { namespace: 'team-a', labels: { app: 'shop' }, pipeline: 'release', task: 'build' };
const refusals = (policy: NamedPolicy, cluster: Settings): readonly string[] =>
  judgeFields(policy, cluster).flatMap(({ field, refusal }) => (refusal === undefined ? [] : [field]));

const everyGrant = {
  namespaces: ['team-*'],
  formats: ['in-toto'],
  builderIds: ['https://tekton.golems.internal/chains/{namespace}'],
  signers: ['serviceAccount', 'keySecret'],
  logs: ['https://rekor.team.example'],
  registryHosts: ['registry.team.example'],
};
const widening = {
  provenance: { format: 'in-toto', builderId: 'https://tekton.golems.internal/chains/team-a' },
  signer: { serviceAccount: 'builder' },
  log: { url: 'https://rekor.team.example' },
  registries: [{ host: 'registry.team.example', ca: { kind: 'ConfigMap', name: 'ca' } }],
};

describe('settings narrowed by SigningPolicies', () => {
  describe('one policy', () => {
    it('narrows without asking', () => {
      const cluster = clusterOf();
      const spec = {
        provenance: { enabled: false },
        signature: { enabled: false },
        sbom: { enabled: false },
        layouts: { tags: false },
        retry: { base: '30s' },
        registries: [{ host: 'r.example', credentials: { name: 'robot' } }],
      };
      const policy = policyOf(spec);
      expect(refusals(policy, cluster)).to.deep.equal([]);
      const { settings, retryBaseMs, policies } = effectiveSettings(cluster, [policy], run);
      expect(settings.provenance.enabled || settings.signature.enabled || settings.sbom.enabled).to.equal(
        false,
      );
      expect(settings.storage.layouts).to.deep.equal({ tags: false, referrers: true });
      expect(retryBaseMs).to.equal(30_000);
      expect(settings.registries).to.deep.equal([
        { host: 'r.example', insecure: false, credentials: { name: 'robot', namespace: 'team-a' } },
      ]);
      expect(policies).to.deep.equal(['one']);
    });

    it('has no effect where it would widen, field by field, and the rest counts', () => {
      const cluster = clusterOf({ sbom: { enabled: false } });
      const policy = policyOf({
        ...widening,
        sbom: { enabled: true },
        retry: { base: '1s' },
        signature: { enabled: false },
      });
      expect(refusals(policy, cluster)).to.deep.equal([
        'provenance.format',
        'provenance.builderId',
        'signer',
        'log.url',
        'sbom.enabled',
        'retry.base',
        'registries[registry.team.example].ca',
      ]);
      const { settings, retryBaseMs } = effectiveSettings(cluster, [policy], run);
      expect(settings).to.deep.equal({ ...cluster, signature: { enabled: false } });
      expect(retryBaseMs).to.equal(undefined);
    });

    it('may choose what the cluster grants its namespace', () => {
      const cluster = clusterOf({ policies: { grants: [everyGrant] } });
      const policy = policyOf(widening);
      expect(refusals(policy, cluster)).to.deep.equal([]);
      const { settings } = effectiveSettings(cluster, [policy], run);
      expect(settings.provenance).to.include(widening.provenance);
      expect(settings.signer).to.deep.include({ type: 'keyless' });
      expect(settings.signer.fulcio.serviceAccount).to.deep.equal({ namespace: 'team-a', name: 'builder' });
      expect(settings.log.url).to.equal('https://rekor.team.example');
      expect(settings.registries[0]?.ca).to.deep.equal({
        kind: 'ConfigMap',
        name: 'ca',
        key: 'ca.crt',
        namespace: 'team-a',
      });
    });

    it('names a log in place of those that a signing configuration chooses by grant only', () => {
      const signingConfig = { file: '/etc/sigstore/signing_config.json' };
      const usual = policyOf({ log: { url: clusterOf().log.url } });
      expect(refusals(usual, clusterOf())).to.deep.equal([]);
      expect(refusals(usual, clusterOf({ signingConfig }))).to.deep.equal(['log.url']);
      const cluster = clusterOf({ signingConfig, policies: { grants: [everyGrant] } });
      const { settings } = effectiveSettings(cluster, [policyOf({ log: widening.log })], run);
      expect(settings.signingConfig.services).to.deep.equal(['fulcio', 'timestampAuthority']);
    });

    it("is not helped by another namespace's grant, nor by another namespace's builder id", () => {
      const cluster = clusterOf({
        policies: { grants: [{ ...everyGrant, namespaces: ['team-b', 'prod*'] }] },
      });
      expect(refusals(policyOf(widening), cluster)).to.have.length(5);
      const all = clusterOf({ policies: { grants: [{ ...everyGrant, namespaces: ['*'] }] } });
      const borrowed = policyOf({
        provenance: { builderId: 'https://tekton.golems.internal/chains/team-b' },
      });
      expect(refusals(borrowed, all)).to.deep.equal(['provenance.builderId']);
    });

    it('signs with a key of its own namespace where that is granted', () => {
      const cluster = clusterOf({ policies: { grants: [everyGrant] } });
      const { settings } = effectiveSettings(cluster, [policyOf({ signer: { keySecret: 'key' } })], run);
      expect(settings.signer).to.deep.include({
        type: 'key',
        key: { secret: { namespace: 'team-a', name: 'key' } },
      });
    });

    it('leaves runs unsigned unless the cluster wants every run signed', () => {
      const skipping = policyOf({ action: 'Skip' });
      expect(effectiveSettings(clusterOf(), [skipping], run).skippedBy).to.equal('one');
      const strict = clusterOf({ policies: { skip: 'refuse' } });
      expect(refusals(skipping, strict)).to.deep.equal(['action']);
      expect(effectiveSettings(strict, [skipping], run).skippedBy).to.equal(undefined);
    });

    it('switches nothing on where the cluster signs nothing', () => {
      const cluster = clusterOf({
        signer: { type: 'none' },
        log: { enabled: false },
        policies: { grants: [everyGrant] },
      });
      expect(refusals(policyOf(widening), cluster)).to.include.members(['signer', 'log.url']);
    });

    it('wants a log that is not there', () => {
      const policy = policyOf({ logRequired: true });
      expect(effectiveSettings(clusterOf(), [policy], run).logMissedBy).to.equal(undefined);
      expect(effectiveSettings(clusterOf({ log: { enabled: false } }), [policy], run).logMissedBy).to.equal(
        'one',
      );
    });

    it('bounds the repositories', () => {
      const { refusesRepository } = effectiveSettings(
        clusterOf(),
        [policyOf({ repositories: ['r.example/a', 'r.example/b/*', 'r.example/c/**'] })],
        run,
      );
      const allowed = ['r.example/a', 'r.example/b/x', 'r.example/c/x/y'];
      const refused = [
        'r.example/ab',
        'r.example/a/x',
        'r.example/b/x/y',
        'r.example/b',
        'r.example/c',
        'r.example.evil/a',
      ];
      expect(allowed.map(refusesRepository)).to.deep.equal([undefined, undefined, undefined]);
      expect(refused.map(refusesRepository)).to.deep.equal(refused.map(() => 'one'));
    });

    for (const [what, selector, matches] of [
      ['all labels fit', { matchLabels: { app: 'shop' } }, true],
      ['a label is another', { matchLabels: { app: 'shop', tier: 'x' } }, false],
      ['the pipeline is listed', { pipelines: ['release'] }, true],
      ['the pipeline is not', { pipelines: ['nightly'] }, false],
      ['the task is listed', { tasks: ['build'] }, true],
      ['the task is not', { tasks: ['test'], pipelines: ['release'] }, false],
    ] as const) {
      it(`speaks of a run ${matches ? 'if' : 'not if'} ${what}`, () => {
        const { policies } = effectiveSettings(clusterOf(), [policyOf({ selector })], run);
        expect(policies).to.deep.equal(matches ? ['one'] : []);
      });
    }

    it('speaks of its own namespace only', () => {
      const foreign = policyOf({ action: 'Skip' }, 'one', 'team-b');
      expect(effectiveSettings(clusterOf(), [foreign], run).skippedBy).to.equal(undefined);
    });
  });

  describe('several policies', () => {
    const cluster = clusterOf({
      policies: { grants: [{ ...everyGrant, builderIds: ['https://a.example', 'https://b.example'] }] },
    });

    it('count together, the narrowest of each', () => {
      const policies = [
        policyOf(
          { signature: { enabled: false }, retry: { base: '1m' }, repositories: ['r.example/**'] },
          'one',
        ),
        policyOf(
          { signature: { enabled: true }, retry: { base: '2m' }, repositories: ['r.example/a/*'] },
          'two',
        ),
      ];
      const { settings, retryBaseMs, refusesRepository } = effectiveSettings(cluster, policies, run);
      expect(settings.signature.enabled).to.equal(false);
      expect(retryBaseMs).to.equal(120_000);
      expect([refusesRepository('r.example/a/x'), refusesRepository('r.example/b')]).to.deep.equal([
        undefined,
        'two',
      ]);
    });

    it('that disagree leave it to the cluster, and each is told', () => {
      const [one, two, apart] = [
        policyOf({ provenance: { builderId: 'https://a.example' } }, 'one'),
        policyOf({ provenance: { builderId: 'https://b.example' } }, 'two'),
        policyOf(
          { selector: { matchLabels: { app: 'other' } }, provenance: { builderId: 'https://b.example' } },
          'apart',
        ),
      ];
      const alone = policyOf({ ...one.spec, selector: { matchLabels: { app: 'shop' } } }, 'one');
      expect(effectiveSettings(cluster, [one, two], run).settings.provenance.builderId).to.equal(builder);
      expect(findConflicts(one, [one, two], cluster)).to.deep.equal([
        { field: 'provenance.builderId', others: ['two'] },
      ]);
      expect(findConflicts(two, [one, two], cluster)).to.deep.equal([
        { field: 'provenance.builderId', others: ['one'] },
      ]);
      expect(findConflicts(alone, [alone, apart], cluster)).to.deep.equal([]);
    });

    it('never leave an image without any layout', () => {
      const policies = [
        policyOf({ layouts: { tags: false } }, 'one'),
        policyOf({ layouts: { referrers: false } }, 'two'),
      ];
      const { settings } = effectiveSettings(cluster, policies, run);
      expect(settings.storage.layouts).to.deep.equal({ tags: true, referrers: true });
      const [first] = policies;
      expect(first && findConflicts(first, policies, cluster)).to.deep.equal([
        { field: 'layouts.tags', others: ['two'] },
      ]);
    });

    it('that agree have their way', () => {
      const same = { provenance: { builderId: 'https://a.example' } };
      const policies = [policyOf(same, 'one'), policyOf(same, 'two')];
      expect(effectiveSettings(cluster, policies, run).settings.provenance.builderId).to.equal(
        'https://a.example',
      );
    });
  });

  const flag = fc.option(fc.boolean(), { nil: undefined });
  const anySpec = fc.record(
    {
      action: fc.constantFrom('Sign', 'Skip'),
      provenance: fc.record({
        enabled: flag,
        format: fc.constantFrom('in-toto', 'slsa/v1'),
        builderId: fc.constantFrom(builder, 'https://evil.example'),
      }),
      signature: fc.record({ enabled: flag }),
      sbom: fc.record({ enabled: flag }),
      signer: fc.constantFrom({ serviceAccount: 'x' }, { keySecret: 'x' }),
      log: fc.record({ url: fc.constantFrom('https://rekor.sigstore.dev', 'https://evil.example') }),
      registries: fc.constant([{ host: 'h.example', ca: { kind: 'Secret', name: 'x' } }]),
      retry: fc.record({ base: fc.constantFrom('1s', '2s', '3m') }),
    },
    { requiredKeys: [] },
  );

  it('are never wider than those of the cluster without a grant, whatever the policies and their order', () => {
    fc.assert(
      fc.property(fc.array(anySpec, { maxLength: 4 }), flag, flag, (specs, sbom = true, signature = true) => {
        const cluster = clusterOf({ sbom: { enabled: sbom }, signature: { enabled: signature } });
        const policies = specs.map((spec, index) => policyOf(spec, `p${index}`));
        const { settings, refusesRepository: _, ...rest } = effectiveSettings(cluster, policies, run);
        const reverse = effectiveSettings(cluster, policies.toReversed(), run);
        expect(reverse.settings).to.deep.equal(settings);
        expect({ ...reverse, settings: 0, refusesRepository: 0 }).to.deep.equal({
          ...rest,
          settings: 0,
          refusesRepository: 0,
        });
        expect(Number(settings.sbom.enabled)).to.be.at.most(Number(sbom));
        expect(Number(settings.signature.enabled)).to.be.at.most(Number(signature));
        expect(settings.provenance).to.include({ builderId: builder, format: 'slsa/v1' });
        for (const part of ['signer', 'log', 'registries', 'trustedRoot', 'controller'] as const) {
          expect(settings[part]).to.deep.equal(cluster[part]);
        }
      }),
    );
  });
});
