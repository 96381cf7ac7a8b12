import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { kubectl } from '../../../hack/stack/stack.ts';
import { metadataKeyOf } from '../../../src/signing/metadata-key.ts';
import { pushImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { RegistrySession } from '../../support/registry-session.ts';
import { OperatorDesk } from './operator-commands.ts';

describe('a layout that asks for our attestations', function () {
  let desk: OperatorDesk;
  before(async () => {
    desk = await OperatorDesk.open();
  });
  after(() => desk[Symbol.asyncDispose]());

  const passes = async (
    run: Promise<{ code: number | null; stdout: string; stderr: string }>,
  ): Promise<string> => {
    const { code, stdout, stderr } = await run;
    expect(code, stderr).to.equal(0);
    return stdout;
  };
  const stepOf = (name: string, more: object) => ({
    _type: 'step',
    name,
    threshold: 1,
    pubkeys: [],
    expected_command: [],
    expected_materials: [],
    ...more,
  });

  it('is signed with the key in the Secret, and holds for an image that a key and a certificate attested', async () => {
    const prefix = desk.path('layout-owner');
    await passes(desk.cosign('generate-key-pair', `--output-key-prefix=${prefix}`));
    const files = ['key', 'pub'].map((end) => `--from-file=cosign.${end}=${prefix}.${end}`);
    const secret = ['layout-owner', '--namespace=tekton-chains'];
    await kubectl(['delete', 'secret', ...secret, '--ignore-not-found']);
    await kubectl(['create', 'secret', 'generic', ...secret, ...files, '--from-literal=cosign.password=lab']);
    try {
      await using registry = await RegistrySession.open({ ca: desk.stack.ca, account: desk.stack.robot });
      const image = await pushImage(registry, `${desk.stack.registry}/layout-${randomUUID()}`);
      const other = await pushImage(registry, `${desk.stack.registry}/layout-${randomUUID()}`);
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const builder = await desk.write(
        'builder.pem',
        privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      );
      const predicate = await desk.write('predicate.json', '{"builder":{"id":"lab"},"buildType":"lab"}');
      const attest = ['attest', '--type=slsaprovenance', `--predicate=${predicate}`];
      await passes(desk.ours(...attest, '--key', builder, image.ref));
      await passes(desk.ours(...attest, '--identity-token', await desk.tokenFile(), image.ref));
      const { keyid, key } = metadataKeyOf(publicKey);
      const name = image.ref.slice(0, image.ref.indexOf('@'));
      const rules = {
        expected_products: [
          ['CREATE', name],
          ['DISALLOW', '*'],
        ],
      };
      const byCertificate = { cert_constraints: [{ uris: [pipelineIdentity], roots: ['*'] }] };
      const layout = {
        _type: 'layout',
        readme: '',
        expires: '2046-01-01T00:00:00Z',
        keys: { [keyid]: key },
        steps: [
          stepOf('build', { pubkeys: [keyid], ...rules }),
          stepOf('release', { ...byCertificate, ...rules }),
        ],
        inspect: [],
      };
      const file = await desk.write('golemtrust-layout.json', JSON.stringify(layout));
      const signed = desk.path('golemtrust.layout');
      const reference = 'k8s://tekton-chains/layout-owner';
      await passes(desk.ours('layout', 'sign', '--key', reference, '--output', signed, file));
      const issuer = ['--functionary-issuer', desk.stack.issuer];
      const images = (ref: string) => ['--image', `build=${ref}`, '--image', `release=${ref}`];
      const verify = ['layout', 'verify', ...issuer, '-o', 'json'];
      const printed = await passes(
        desk.ours(...verify, '--layout-key', reference, ...images(image.ref), signed),
      );
      const { steps } = JSON.parse(printed) as { steps: { functionaries: { functionary: string }[] }[] };
      expect(steps.map(({ functionaries }) => functionaries[0]?.functionary)).to.deep.equal([
        keyid,
        pipelineIdentity,
      ]);
      // As the runbook signs the file: beside it.
      const beside = ['--signature', desk.path('layout.json.sig')];
      await passes(desk.ours('sign-blob', '--key', reference, `--output-signature=${beside[1] ?? ''}`, file));
      await passes(desk.ours(...verify, '--key', reference, ...beside, ...images(image.ref), file));
      const refusals: readonly (readonly [code: string, args: readonly string[]])[] = [
        ['ERR_POLICY_EVIDENCE_MISSING', ['--layout-key', reference, ...images(other.ref), signed]],
        ['ERR_LAYOUT_THRESHOLD', ['--layout-key', reference, '--image', `build=${image.ref}`, signed]],
        ['ERR_LAYOUT_SIGNATURE', ['--layout-key', await otherKey(desk), ...images(image.ref), signed]],
      ];
      for (const [code, args] of refusals) {
        const refused = await desk.ours(...verify, ...args);
        expect(refused.code, refused.stdout).to.equal(1);
        expect(refused.stderr).to.include(code);
      }
    } finally {
      await kubectl(['delete', 'secret', ...secret]);
    }
  });
});

async function otherKey(desk: OperatorDesk): Promise<string> {
  const { publicKey } = generateKeyPairSync('ed25519');
  return desk.write('other.pub', publicKey.export({ format: 'pem', type: 'spki' }).toString());
}
