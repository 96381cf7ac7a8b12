import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { kubectl } from '../../../hack/stack/stack.ts';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import { pushImage } from '../../support/images.ts';
import type { PushedImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { RegistrySession } from '../../support/registry-session.ts';
import { OperatorDesk } from './operator-commands.ts';
import { RunbookTable } from './runbook-table.ts';

const signer = [
  '--certificate-identity-regexp',
  pipelineIdentity,
  '--certificate-oidc-issuer',
  'https://kubernetes.golems.internal',
];
const flagFixture = new URL('../../fixtures/cosign-flags/cosign-3.1.3.json', import.meta.url);

interface Judged {
  readonly policies: readonly {
    readonly authorities: readonly { readonly checks: readonly { readonly evidence: readonly object[] }[] }[];
  }[];
}

interface PrintedEntry {
  readonly logIndex: number;
  readonly uuid: string;
  readonly kind: string;
  readonly payload?: unknown;
}

describe('each line of the runbook, by its own tool and by ours', function () {
  let desk: OperatorDesk;
  let image: PushedImage;
  let cosignImage: PushedImage;
  let peerImage: PushedImage;
  const table = new RunbookTable();
  /** A test of what these rows of the table say. */
  const itShows = (places: readonly number[], title: string, test: () => Promise<void>): void => {
    table.cover(places);
    it(title, test);
  };

  before(async () => {
    desk = await OperatorDesk.open();
    await using registry = await RegistrySession.open({ ca: desk.stack.ca, account: desk.stack.robot });
    image = await pushImage(registry, `${desk.stack.registry}/runbook-${randomUUID()}`);
    peerImage = await pushImage(registry, `${desk.stack.registry}/runbook-${randomUUID()}`);
    cosignImage = await pushImage(registry, `${desk.stack.registry}/runbook-${randomUUID()}`);
    await new EvidenceMaker(desk.stack, desk.judges).make(cosignImage.ref);
  });
  after(() => desk[Symbol.asyncDispose]());

  const ours = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await desk.ours(...args);
    expect(code, stderr).to.equal(0);
    return stdout;
  };

  itShows(
    [1],
    'signs an image with an identity token so that cosign verifies it, and once only',
    async () => {
      const token = await readFile(await desk.tokenFile(), 'utf8');
      const flags = ['--identity-token', token, '--oidc-issuer', desk.stack.issuer];
      // Without them cosign goes to the public Sigstore instance.
      const servers = [`--fulcio-url=${desk.stack.fulcioUrl}`, `--rekor-url=${desk.stack.rekorUrl}`];
      const own = ['--yes', '--use-signing-config=false', ...servers];
      const byCosign = await desk.cosign('sign', ...own, ...flags, peerImage.ref);
      expect(byCosign.code, byCosign.stderr).to.equal(0);
      const layouts = JSON.parse(await ours('verify', ...signer, '-o', 'json', peerImage.ref)) as Judged;
      expect(layouts.policies[0]?.authorities[0]?.checks[0]?.evidence).to.have.length(1);
      expect(await ours('sign', ...flags, image.ref)).to.include('attached');
      expect(await ours('sign', ...flags, image.ref)).not.to.include('attached');
      const [tags, bundles] = [['--new-bundle-format=false'], []];
      for (const layout of [tags, bundles]) {
        const { code, stderr } = await desk.judges.verify(image.ref, {}, layout);
        expect(code, stderr).to.equal(0);
      }
    },
  );

  itShows([2], 'signs the layout with the key in the Secret, by the line as it is printed', async () => {
    const prefix = desk.path('cosign');
    await desk.cosign('generate-key-pair', `--output-key-prefix=${prefix}`);
    const files = ['key', 'pub'].map((end) => `--from-file=cosign.${end}=${prefix}.${end}`);
    const secret = ['signing-secrets', '--namespace=tekton-chains'];
    await kubectl(['delete', 'secret', ...secret, '--ignore-not-found']);
    await kubectl(['create', 'secret', 'generic', ...secret, ...files, '--from-literal=cosign.password=lab']);
    try {
      const layout = await desk.write('golemtrust-layout.json', '{"_type":"layout"}');
      const line = ['--key', 'k8s://tekton-chains/signing-secrets', '--output-signature', 'layout.json.sig'];
      await ours('sign-blob', ...line, 'golemtrust-layout.json');
      const verify = [`--key=${prefix}.pub`, `--signature=${desk.path('layout.json.sig')}`];
      const rekor = `--rekor-url=${desk.stack.rekorUrl}`;
      const { code, stderr } = await desk.cosign(
        'verify-blob',
        ...verify,
        '--new-bundle-format=false',
        rekor,
        layout,
      );
      expect(code, stderr).to.equal(0);
      await ours('verify-blob', '--key', 'k8s://tekton-chains/signing-secrets', ...verify.slice(1), layout);
      // By the Secret, too, cosign takes the line only with what it is being weaned of.
      const printed = await desk.cosign(
        'sign-blob',
        '--yes',
        '--key',
        `${prefix}.key`,
        line[2] ?? '',
        'c.sig',
        layout,
      );
      expect(printed.code).not.to.equal(0);
    } finally {
      await kubectl(['delete', 'secret', ...secret]);
    }
  });

  itShows([3], 'verifies the signature that cosign made, and prints subject and log index', async () => {
    const judged = await desk.judges.verify(cosignImage.ref);
    expect(judged.code, judged.stderr).to.equal(0);
    const printed = await ours('verify', ...signer, cosignImage.ref);
    expect(printed)
      .to.include(pipelineIdentity)
      .and.to.match(/log index \d+/);
  });

  for (const [place, type] of [
    [4, 'slsaprovenance'],
    [5, 'cyclonedx'],
  ] as const) {
    itShows([place], `prints the same ${type} attestation as cosign`, async () => {
      const judged = await desk.judges.verifyAttestation(cosignImage.ref, type);
      expect(judged.code, judged.stderr).to.equal(0);
      const flags = ['--type', type, ...signer, cosignImage.ref];
      const printed = await ours('verify-attestation', ...flags);
      expect(JSON.parse(printed)).to.deep.equal(JSON.parse(judged.stdout));
    });
  }

  it('attests so that cosign prints the same attestation', async () => {
    const predicate = await desk.write('predicate.json', '{"builder":{"id":"lab"},"buildType":"lab"}');
    const flags = [
      '--type',
      'slsaprovenance',
      '--predicate',
      predicate,
      '--identity-token',
      await desk.tokenFile(),
    ];
    await ours('attest', ...flags, image.ref);
    const judged = await desk.judges.verifyAttestation(image.ref);
    expect(judged.code, judged.stderr).to.equal(0);
    const printed = await ours('verify-attestation', '--type', 'slsaprovenance', ...signer, image.ref);
    expect(JSON.parse(printed)).to.deep.equal(JSON.parse(judged.stdout));
  });

  it('refuses an attestation of a type that is not there with ERR_VERIFY_ATTESTATION', async () => {
    const { code, stderr } = await desk.ours(
      'verify-attestation',
      '--type',
      'vuln',
      ...signer,
      cosignImage.ref,
    );
    expect(code).to.equal(1);
    expect(stderr).to.include('ERR_VERIFY_ATTESTATION');
  });

  itShows([6], 'prints the tag that cosign triangulate prints', async () => {
    for (const type of ['signature', 'attestation', 'digest']) {
      const judged = await desk.cosign('triangulate', '--type', type, image.ref);
      expect(await ours('triangulate', '--type', type, image.ref)).to.equal(judged.stdout);
    }
  });

  itShows([7, 8], 'finds all entries of an image, where the line as it is printed is refused', async () => {
    const { stdout: tag } = await desk.cosign('triangulate', cosignImage.ref);
    expect(await desk.judges.search(tag.trim()).catch(String)).to.include('error parsing sha flag');
    await desk.judges.searchUntilFound(cosignImage.digest, 2);
    const found = JSON.parse(await ours('log', 'search', cosignImage.ref, '-o', 'json')) as PrintedEntry[];
    expect(found.map(({ kind }) => kind).sort()).to.deep.equal([
      'dsse 0.0.1',
      'dsse 0.0.1',
      'hashedrekord 0.0.1',
    ]);
    const bySha = JSON.parse(
      await ours('log', 'search', '--sha', cosignImage.digest, '-o', 'json'),
    ) as PrintedEntry[];
    expect(bySha.map(({ uuid }) => uuid)).to.have.members(await desk.judges.search(cosignImage.digest));
    const meant = JSON.parse(
      await ours('log', 'search', '--sha', tag.trim(), '-o', 'json'),
    ) as PrintedEntry[];
    expect(meant.map(({ uuid }) => uuid)).to.deep.equal(found.map(({ uuid }) => uuid));
  });

  it('finds entries by the identity of their certificates, and warns where they are more than it reads', async () => {
    const args = ['search', '--identity', pipelineIdentity, '--limit', '1', '-o', 'json'];
    const { code, stdout, stderr } = await desk.ours('log', ...args);
    expect(code, stderr).to.equal(0);
    const [entry] = JSON.parse(stdout) as { signer: { subject: string } }[];
    expect(entry?.signer.subject).to.equal(pipelineIdentity);
    expect(stderr).to.match(/WARNING: the log names \d+ entries; 1 were read/);
  });

  itShows([9], 'reads the entry that rekor-cli reads, with the payload from the registry', async () => {
    const found = JSON.parse(await ours('log', 'search', cosignImage.ref, '-o', 'json')) as PrintedEntry[];
    for (const { logIndex } of found.slice(0, 2)) {
      const judged = await desk.judges.getEntry(logIndex);
      const args = ['get', '--log-index', String(logIndex), '--image', cosignImage.ref, '-o', 'json'];
      const entry = JSON.parse(await ours('log', ...args)) as PrintedEntry;
      expect(entry).to.include({ logIndex: judged.LogIndex, uuid: judged.UUID });
      expect(JSON.stringify(entry.payload)).to.include(cosignImage.digest.slice('sha256:'.length));
    }
    const [first] = found;
    const { code, stderr } = await desk.ours(
      'log',
      'get',
      '--log-index',
      String(first?.logIndex),
      '--image',
      image.ref,
    );
    expect(code).to.equal(1);
    expect(stderr).to.include('ERR_LOG_PAYLOAD_ABSENT');
  });

  it('makes the table in docs/commands.md', async () => {
    expect(await table.documented()).to.equal(table.render());
    expect(table.uncovered()).to.deep.equal([]);
  });

  it('knows every flag that the real cosign shows', async () => {
    const known = JSON.parse(await readFile(flagFixture, 'utf8')) as Record<string, readonly string[]>;
    for (const [command, flags] of Object.entries(known)) {
      const { stdout } = await desk.cosign(command, '--help');
      const shown = [...stdout.matchAll(/^ +(?:-\w, )?--([a-z0-9-]+)/gim)].map(([, flag]) => flag);
      expect(shown).to.include('help');
      const global = ['help', 'output-file', 'timeout', 'verbose'];
      expect(shown.filter((flag = '') => !flags.includes(flag) && !global.includes(flag))).to.deep.equal([]);
    }
  });
});
