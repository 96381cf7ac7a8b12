import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { runCli } from '../integration/commands/cli.ts';
import { listEvidence, summarise } from '../support/attached-evidence.ts';
import type { ControllerProcess } from '../support/controller-process.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import type { KubeObject } from '../support/kube-api.ts';
import { createPolicy, policyPath, settingsPath, waitForReady } from '../support/live-settings.ts';
import { listRecords } from '../support/logged-entries.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import {
  createCompletedRun,
  imageResults,
  runPath,
  waitForMarks,
  waitUntilSigned,
} from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

const chainsPath = '/api/v1/namespaces/tekton-chains/configmaps';

describe('settings of a cluster, followed by the controller', function () {
  let scene: Scene;
  let namespace: string;
  let controller: ControllerProcess;
  let runs = 0;

  before(async () => {
    scene = await openScene();
    await scene.api.delete(settingsPath);
    await scene.api.delete(`${chainsPath}/chains-config`);
    namespace = await scene.namespace('settings');
    controller = await scene.controller([namespace], {
      source: 'object',
      settings: { records: { maxAge: '1h', minAge: '0s', maxPerNamespace: 1000 } },
    });
  });

  after(async () => {
    await controller.stop();
    await scene.api.delete(settingsPath);
    await scene.api.delete(`${chainsPath}/chains-config`);
    await scene[Symbol.asyncDispose]();
  });

  const change = async (spec: object, ready = 'True InForce'): ReturnType<typeof waitForReady> => {
    await scene.api.mergePatch(settingsPath, { spec });
    return waitForReady(scene.api, settingsPath, ready);
  };
  const build = async (): Promise<{ readonly name: string; readonly image: PushedImage }> => {
    runs += 1;
    const name = `run-${runs}`;
    const image = await pushImage(scene.registry, `${scene.stack.registry}/settings/${namespace}`);
    await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
    return { name, image };
  };
  const signOne = async (): Promise<PushedImage> => {
    const { name, image } = await build();
    await waitUntilSigned(scene.api, { namespace, name });
    return image;
  };
  /** The builder that the provenance names which the real cosign verifies. */
  const builderOf = async (image: PushedImage, identityRegexp?: string): Promise<string> => {
    const asked = identityRegexp === undefined ? {} : { identityRegexp };
    const { code, stdout, stderr } = await scene.judges.verifyAttestation(image.ref, 'slsaprovenance', asked);
    expect(code, stderr).to.equal(0);
    const [envelope] = stdout.trim().split('\n');
    const { payload } = JSON.parse(envelope ?? '') as { readonly payload: string };
    const statement = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as {
      readonly predicate: { readonly builder: { readonly id: string } };
    };
    return statement.predicate.builder.id;
  };
  const evidenceOf = async (image: PushedImage): Promise<readonly string[]> =>
    summarise(await listEvidence(scene.registry, image, image.digest));
  const reasonsOf = async (place: string): Promise<readonly string[]> =>
    (await scene.api.list<KubeObject & { reason: string }>(`/api/v1/namespaces/${place}/events`)).map(
      ({ reason }) => reason,
    );

  it('take effect without a restart: builder, layouts and SBOM differ from one run to the next', async () => {
    const { pid } = controller;
    await waitForReady(scene.api, settingsPath, 'True InForce');
    const before = await signOne();
    expect(await builderOf(before)).to.equal('https://tekton.golems.internal/chains/v2');
    const { object } = await change({
      provenance: { builderId: 'https://tekton.golems.internal/chains/changed' },
      storage: { layouts: { tags: false } },
      sbom: { enabled: false },
    });
    const after = await signOne();
    expect(await builderOf(after)).to.equal('https://tekton.golems.internal/chains/changed');
    expect(await evidenceOf(after)).to.deep.equal(['referrer provenance', 'referrer signature']);
    expect((await evidenceOf(before)).filter((piece) => piece.endsWith('sbom'))).to.have.length(2);
    expect(controller.pid).to.equal(pid);
    expect(object.status?.inForce).to.include({
      generation: object.metadata.generation,
      builderId: 'https://tekton.golems.internal/chains/changed',
    });
    expect(object.status?.inForce?.fields).to.deep.include({
      path: 'storage.layouts.tags',
      value: 'false',
      source: 'object',
    });
  });

  it('stay in force when the object breaks, and status, Event and metric say so', async () => {
    const secret = { namespace: 'tekton-chains', name: 'absent' };
    const { ready, object } = await change(
      { signer: { type: 'key', key: { secret } }, provenance: { builderId: 'https://never.example' } },
      'False Unusable',
    );
    expect(ready.message).to.match(
      /ERR_KUBE_NOT_FOUND.*absent.*the settings of generation \d+ before stay in force/s,
    );
    expect(object.status?.inForce?.builderId).to.equal('https://tekton.golems.internal/chains/changed');
    const page = await controller.metrics();
    expect(page)
      .to.include('chainwright_settings_broken 1')
      .and.to.include('chainwright_settings_in_force 1');
    for (const resource of ['taskruns', 'signingrecords', 'chainwrightconfigs', 'signingpolicies']) {
      expect(page).to.include(`chainwright_informer_last_sync_timestamp_seconds{resource="${resource}"} `);
    }
    const image = await signOne();
    expect(await builderOf(image)).to.equal('https://tekton.golems.internal/chains/changed');
    await waitFor(async () => ((await reasonsOf('default')).includes('SettingsBroken') ? true : undefined), {
      what: 'an Event SettingsBroken',
      timeoutMs: 60_000,
    });
    await change({
      signer: { type: 'keyless', key: null },
      provenance: { builderId: 'https://tekton.golems.internal/chains/v2' },
    });
    expect(await builderOf(await signOne())).to.equal('https://tekton.golems.internal/chains/v2');
  });

  it('are refused by the API server where schema or CEL rules can tell', async () => {
    const refusalOf = async (spec: object): Promise<string> => {
      const path = `${settingsPath}?dryRun=All&fieldValidation=Strict`;
      const { refusal } = await scene.api.attempt((api) => api.mergePatch(path, { spec }));
      return refusal?.message ?? '';
    };
    const cases: readonly (readonly [object, string])[] = [
      [{ signer: { type: 'kms' } }, 'Unsupported value'],
      [
        { signer: { key: { file: '/a', secret: { namespace: 'a', name: 'b' } } } },
        'names both a file and a Secret',
      ],
      [{ controller: { retry: { base: '10m', max: '1s' } } }, 'base must not be longer than max'],
      [{ storage: { layouts: { tags: false, referrers: false } } }, 'must not both be off'],
      [{ records: { minAge: '2h', maxAge: '1h' } }, 'minAge must not be longer than maxAge'],
      [{ registries: [{ host: 'a' }, { host: 'a' }] }, 'Duplicate value'],
      [{ policies: { grants: [{ namespaces: [] }] } }, 'should have at least 1 items'],
      [{ speling: true }, 'unknown field'],
    ];
    for (const [spec, why] of cases) expect(await refusalOf(spec), why).to.include(why);
    const other = {
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'ChainwrightConfig',
      metadata: { name: 'other' },
    };
    const { refusal } = await scene.api.attempt((api) =>
      api.create('/apis/chainwright.dev/v1alpha1/chainwrightconfigs', other),
    );
    expect(refusal?.message).to.include('the one ChainwrightConfig is named default');
    const both = { signer: { serviceAccount: 'a', keySecret: 'b' } };
    const policy = scene.api.attempt(async (api) => {
      await createPolicy(api, namespace, 'bad', both);
      return api.get(policyPath(namespace, 'bad'));
    });
    expect((await policy).refusal?.message).to.include('must name either a serviceAccount or a keySecret');
  });

  it('come from chains-config too, whose keys are answered for one by one', async () => {
    await scene.api.create(chainsPath, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'chains-config', namespace: 'tekton-chains' },
      data: { 'transparency.enabled': 'true', 'artifacts.oci.storage': 'gcs', speling: 'x' },
    });
    const { ready } = await waitForReady(scene.api, settingsPath, 'False Invalid');
    expect(ready.message).to.include('artifacts.oci.storage = "gcs" (chains-config)');
    await scene.api.mergePatch(`${chainsPath}/chains-config`, {
      data: { 'artifacts.oci.storage': 'oci', 'signers.x509.fulcio.enabled': 'true' },
    });
    const { object } = await waitForReady(scene.api, settingsPath, 'True InForce');
    expect(
      object.status?.inForce?.chainsConfig.map(({ key, verdict }) => `${key} ${verdict}`),
    ).to.include.members([
      'transparency.enabled honoured',
      'speling ignored',
      'artifacts.taskrun.storage implied',
    ]);
    await scene.api.delete(`${chainsPath}/chains-config`);
    await waitFor(
      async () => {
        const { object: now } = await waitForReady(scene.api, settingsPath, 'True InForce');
        return now.status?.inForce?.chainsConfig.length === 0 ? true : undefined;
      },
      { what: 'chains-config being gone from the status', timeoutMs: 60_000 },
    );
  });

  describe('a namespace that asks for more than it may', () => {
    // Emptied before it goes: of that the status tells when it counts, of a deletion nothing does.
    afterEach(async () => {
      const path = policyPath(namespace, 'releases');
      await scene.api.replace(path, { ...(await scene.api.get(path)), spec: {} });
      await waitForReady(scene.api, path, 'True InForce');
      await scene.api.delete(path);
    });

    it('is refused by field, in the status and in what is signed, until the cluster grants it', async () => {
      const own = `https://tekton.golems.internal/chains/${namespace}`;
      await createPolicy(scene.api, namespace, 'releases', {
        provenance: { builderId: own },
        layouts: { tags: true },
        signature: { enabled: false },
      });
      const { ready, object } = await waitForReady(
        scene.api,
        policyPath(namespace, 'releases'),
        'False Refused',
      );
      expect(ready.message).to.include('provenance.builderId: no grant lists this builder id');
      expect(object.status?.fields?.map(({ field, verdict }) => `${field} ${verdict}`)).to.deep.equal([
        'provenance.builderId Refused',
        'signature.enabled InForce',
        'layouts.tags Refused',
      ]);
      const refused = await signOne();
      expect(await builderOf(refused)).to.equal('https://tekton.golems.internal/chains/v2');
      expect(await evidenceOf(refused)).to.deep.equal(['referrer provenance']);

      const grant = {
        namespaces: ['settings-*'],
        builderIds: ['https://tekton.golems.internal/chains/{namespace}'],
      };
      await change({ policies: { grants: [grant] }, storage: { layouts: { tags: true } } });
      await waitForReady(scene.api, policyPath(namespace, 'releases'), 'True InForce');
      const granted = await signOne();
      expect(await builderOf(granted)).to.equal(own);
      expect(await evidenceOf(granted)).to.deep.equal(['referrer provenance', 'tag provenance']);
    });

    it('signs as a ServiceAccount of its own only by grant, and with the consent of its namespace', async () => {
      const asked = { signer: { serviceAccount: 'builder' } };
      await scene.api.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'builder' },
      });
      await letRequestTokens(scene, namespace, 'builder');
      await createPolicy(scene.api, namespace, 'releases', asked);
      await waitForReady(scene.api, policyPath(namespace, 'releases'), 'False Refused');
      expect((await scene.judges.verify((await signOne()).ref)).code).to.equal(0);
      await change({ policies: { grants: [{ namespaces: [namespace], signers: ['serviceAccount'] }] } });
      await waitForReady(scene.api, policyPath(namespace, 'releases'), 'True InForce');
      const image = await signOne();
      const identityRegexp = `https://kubernetes.golems.internal/namespaces/${namespace}/serviceaccounts/builder`;
      const verified = await scene.judges.verify(image.ref, { identityRegexp });
      expect(verified.code, verified.stderr).to.equal(0);
      expect((await scene.judges.verify(image.ref)).code).to.not.equal(0);
    });

    it('can be asked for beforehand, on the command line', async () => {
      await createPolicy(scene.api, namespace, 'releases', {
        log: { url: 'https://rekor.example' },
        sbom: { enabled: false },
      });
      const env = { KUBECONFIG: scene.stack.kubeconfig };
      const args = ['settings', 'show', '--cluster', '--for', namespace];
      const { code, stdout, stderr } = await runCli(args, { cwd: tmpdir(), env });
      expect(code, stderr).to.equal(0);
      expect(stdout).to.match(/^log\.url +"http:\/\/rekor\.golems\.internal:3000" +object$/m);
      expect(stdout).to.include('without effect: releases: log.url: no grant lists this log');
    });

    it('may leave its runs unsigned, visibly, and has no images signed of repositories that it does not list', async () => {
      await createPolicy(scene.api, namespace, 'releases', { action: 'Skip' });
      await waitForReady(scene.api, policyPath(namespace, 'releases'), 'True InForce');
      const { name, image } = await build();
      const skipped = { namespace, name };
      await waitForMarks(scene.api, skipped, ({ result }) => result === 'skipped', { what: 'being skipped' });
      expect(await evidenceOf(image)).to.deep.equal([]);
      const { metadata } = await scene.api.get(runPath(namespace, name));
      expect(metadata.finalizers ?? []).to.deep.equal([]);
      await scene.api.mergePatch(policyPath(namespace, 'releases'), {
        spec: { action: 'Sign', repositories: [`${scene.stack.registry}/elsewhere/*`] },
      });
      const { error = '' } = await waitForMarks(scene.api, skipped, ({ signed }) => signed === 'failed', {
        what: 'being refused',
      });
      expect(error).to.match(/^ERR_SUBJECT_REPOSITORY: SigningPolicy .*releases does not allow images of/);
      expect(await evidenceOf(image)).to.deep.equal([]);
    });
  });

  it('bound the life of records: those of pruned runs go, those of runs that are there stay', async () => {
    const { name } = await build();
    await waitUntilSigned(scene.api, { namespace, name });
    const before = await listRecords(scene.api, namespace);
    const kept = await scene.api.get(runPath(namespace, name));
    for (const run of await scene.api.list(runPath(namespace))) {
      if (run.metadata.name !== name) await scene.api.delete(runPath(namespace, run.metadata.name));
    }
    // A pruned run leaves its record behind, which says since when, and has it as long as the settings say.
    await waitFor(
      async () => {
        const records = await listRecords(scene.api, namespace);
        const marked = records.filter(({ metadata }) => metadata.annotations?.['chainwright.dev/run-gone']);
        return marked.length === before.length - 1 ? marked : undefined;
      },
      { what: 'records saying since when their run is gone', timeoutMs: 60_000 },
    );
    expect(await listRecords(scene.api, namespace)).to.have.length(before.length);
    await change({ records: { maxPerNamespace: 2 } });
    const left = await waitFor(
      async () => {
        const records = await listRecords(scene.api, namespace);
        return records.length <= 3 ? records : undefined;
      },
      { what: 'records being pruned', timeoutMs: 60_000 },
    );
    expect(left.map(({ metadata }) => metadata.name)).to.include(kept.metadata.uid);
    expect(left).to.have.length(3);
  });

  it('that are broken from the start keep the controller alive, unready and idle until they are mended', async () => {
    await controller.stop();
    const file = '/nowhere/trusted_root.json';
    await scene.api.mergePatch(settingsPath, { spec: { trustedRoot: { file } } });
    const restarting = controller.restart();
    restarting.catch(() => undefined);
    const { ready } = await waitForReady(scene.api, settingsPath, 'False Unusable');
    expect(ready.message).to.include('no settings are in force, so nothing is signed until this is mended');
    const { name } = await build();
    await scene.api.mergePatch(settingsPath, { spec: { trustedRoot: { file: scene.stack.trustedRoot } } });
    await restarting;
    await waitUntilSigned(scene.api, { namespace, name });
  });
});

/** The namespace's consent to being signed for: tokens of that one account may be requested. */
async function letRequestTokens({ api }: Scene, namespace: string, account: string): Promise<void> {
  const root = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: 'signed-by-chainwright' };
  await api.create(`${root}/roles`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata,
    rules: [
      { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: [account], verbs: ['create'] },
    ],
  });
  await api.create(`${root}/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: 'tekton-chains-controller', namespace: 'tekton-chains' }],
  });
}
