import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { kubectl } from '../../../hack/stack/stack.ts';
import { pushImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { RegistrySession } from '../../support/registry-session.ts';
import { runCli } from './cli.ts';
import type { CliOutcome } from './cli.ts';
import { OperatorDesk } from './operator-commands.ts';

interface Verified {
  readonly kind: string;
  readonly findings: readonly { readonly check: string; readonly where: string; readonly severity: string }[];
}

/** Lists in no order of their own: of services with the same start. */
function sorted(text: string): unknown {
  const document = JSON.parse(text) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map((one) => JSON.stringify(one)).toSorted() : value,
    ]),
  );
}

describe('chainwright trust-root, beside cosign', function () {
  let desk: OperatorDesk;
  let services: readonly string[];
  let endpoints: readonly string[];
  let files: {
    readonly root: string;
    readonly config: string;
    readonly config2: string;
    readonly object: string;
  };

  /** Without the variables of a user of the stack: the trust root is what the test says. */
  const ours = (...args: readonly string[]): Promise<CliOutcome> =>
    runCli(args, {
      cwd: desk.folder,
      env: {
        SSL_CERT_FILE: desk.stack.env['SSL_CERT_FILE'] ?? '',
        DOCKER_CONFIG: desk.stack.env['DOCKER_CONFIG'] ?? '',
      },
    });
  const verified = async (
    ...args: readonly string[]
  ): Promise<Verified & { readonly code: number | null }> => {
    const { code, stdout, stderr } = await ours('trust-root', 'verify', ...args, '-o', 'json');
    expect(stderr).to.equal('');
    return { code, ...(JSON.parse(stdout) as Verified) };
  };
  const create = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await ours('trust-root', 'create', ...args);
    expect(code, stderr).to.equal(0);
  };
  const tsaUrl = (): string => desk.stack.tsaUrl.replace('/api/v1/timestamp', '');

  before(async () => {
    desk = await OperatorDesk.open();
    const { env, fulcioUrl, rekorUrl, rekor2Url, issuer } = desk.stack;
    const start = 'start-time=2020-01-01T00:00:00Z';
    const file = (name: string): string => env[name] ?? '';
    services = [
      `--fulcio=url=${fulcioUrl},certificate-chain=${file('STACK_FULCIO_ROOT')},${start}`,
      `--ctfe=url=${file('STACK_CTLOG_URL')},public-key=${file('STACK_CTLOG_PUBLIC_KEY')},${start}`,
      `--rekor=url=${rekorUrl},public-key=${file('STACK_REKOR_PUBLIC_KEY')},${start}`,
      `--rekor=url=${rekor2Url},public-key=${file('STACK_REKOR2_PUBLIC_KEY')},${start},origin=rekor2.golems.internal`,
      `--tsa=url=${tsaUrl()},certificate-chain=${file('STACK_TSA_CHAIN')},${start}`,
    ];
    files = {
      root: desk.path('root.json'),
      config: desk.path('config.json'),
      config2: desk.path('config2.json'),
      object: desk.path('object.yaml'),
    };
    const common = 'api-version=1,start-time=2020-01-01T00:00:00Z,operator=golems.internal';
    endpoints = [
      `--fulcio=url=${fulcioUrl},${common}`,
      `--oidc-provider=url=${issuer},${common}`,
      `--rekor=url=${rekor2Url},${common.replace('version=1', 'version=2')}`,
      '--rekor-config=ANY',
      `--tsa=url=${desk.stack.tsaUrl},${common}`,
      '--tsa-config=EXACT:1',
    ];
    await create(...services, '--out', files.root, '--object', files.object, '--name', 'golems');
    await create('--signing-config', files.config, `--fulcio=url=${fulcioUrl}`, `--rekor=url=${rekorUrl}`);
    await create('--signing-config', files.config2, ...endpoints);
  });
  after(() => desk[Symbol.asyncDispose]());

  it('makes the trusted root that cosign makes of the same services', async () => {
    const { code, stderr } = await desk.cosign(
      'trusted-root',
      'create',
      ...services,
      '--out',
      desk.path('theirs.json'),
    );
    expect(code, stderr).to.equal(0);
    const theirs = await readFile(desk.path('theirs.json'), 'utf8');
    expect(sorted(await readFile(files.root, 'utf8'))).to.deep.equal(sorted(theirs));
    expect(await verified(desk.path('theirs.json'), '--online')).to.deep.include({ code: 0, findings: [] });
  });

  it('makes the signing configuration that cosign makes of the same services', async () => {
    const theirs = await desk.cosign(
      'signing-config',
      'create',
      ...endpoints,
      '--out',
      desk.path('their-config.json'),
    );
    expect(theirs.code, theirs.stderr).to.equal(0);
    const [one, other] = [files.config2, desk.path('their-config.json')];
    expect(sorted(await readFile(one, 'utf8'))).to.deep.equal(sorted(await readFile(other, 'utf8')));
    for (const file of [one, other]) {
      expect(await verified(file, '--trusted-root', files.root, '--online')).to.deep.include({
        code: 0,
        findings: [],
      });
    }
  });

  it('is what cosign signs and verifies with, for both logs, and the webhook’s rules, too', async () => {
    const { stack } = desk;
    await using registry = await RegistrySession.open({ ca: stack.ca, account: stack.robot });
    const identity = [
      '--certificate-identity-regexp',
      pipelineIdentity,
      '--certificate-oidc-issuer',
      stack.issuer,
    ];
    const policy = await desk.write('policy.yaml', policyWith(stack.registry));
    for (const config of [files.config, files.config2]) {
      const { ref } = await pushImage(registry, `${stack.registry}/trust-${randomUUID()}`);
      const common = ['--identity-token', await desk.tokenFile(), '--trusted-root', files.root];
      const signed = await desk.judges.cosign(['sign', '--yes', ...common, '--signing-config', config, ref]);
      expect(signed.code, signed.stderr).to.equal(0);
      const judged = await desk.judges.cosign(['verify', ...identity, '--trusted-root', files.root, ref]);
      expect(judged.code, judged.stderr).to.equal(0);
      const own = await ours('verify', ...identity, '--trusted-root', files.root, ref);
      expect(own.code, own.stderr).to.equal(0);
      const door = await ours('policy', 'test', '-f', policy, '-f', files.object, '--image', ref);
      expect(door.code, door.stdout + door.stderr).to.equal(0);
    }
  });

  it('makes an object that the API server takes, and reads it back', async () => {
    const answer = await kubectl(['apply', '--dry-run=server', '-o', 'yaml', '-f', files.object]);
    const stored = await desk.write('stored.yaml', answer);
    expect(await verified(stored)).to.deep.include({ code: 0, kind: 'TrustRoot', findings: [] });
    const { stdout } = await ours('trust-root', 'show', stored);
    expect(stdout.trim().split('\n')).to.have.length(6);
  });

  it('asks running servers for keys that no file holds, and says whose word it took', async () => {
    const { fulcioUrl, rekorUrl } = desk.stack;
    const { code, stderr } = await ours(
      ...['trust-root', 'create', '--out', desk.path('asked.json')],
      `--fulcio=url=${fulcioUrl}`,
      `--rekor=url=${rekorUrl}`,
      `--tsa=url=${tsaUrl()}`,
      services[1] ?? '',
    );
    expect(code, stderr).to.equal(0);
    expect(stderr.match(/compare it with what its operator published/g)).to.have.length(3);
    expect(await verified(desk.path('asked.json'), '--online')).to.deep.include({ code: 0, findings: [] });
    const silent = await ours(
      'trust-root',
      'create',
      `--ctfe=url=${desk.stack.env['STACK_CTLOG_URL'] ?? ''}`,
    );
    expect(silent.code).to.equal(2);
  });

  it('finds online that a log signs with another key, and which server is away', async () => {
    const other = services.map((spec) =>
      spec.startsWith(`--rekor=url=${desk.stack.rekorUrl}`)
        ? spec.replace(
            desk.stack.env['STACK_REKOR_PUBLIC_KEY'] ?? '',
            desk.stack.env['STACK_CTLOG_PUBLIC_KEY'] ?? '',
          )
        : spec,
    );
    await create(...other, '--out', desk.path('other.json'));
    const wrong = await verified(desk.path('other.json'), '--online');
    expect(wrong.code).to.equal(1);
    expect(wrong.findings).to.have.length(1);
    expect(wrong.findings[0]).to.include({ check: 'online', where: desk.stack.rekorUrl });
    const away = services.map((spec) => spec.replace(desk.stack.rekorUrl, 'http://127.0.0.1:9'));
    await create(...away, '--out', desk.path('away.json'));
    const silent = await verified(desk.path('away.json'), '--online');
    expect(silent.code).to.equal(3);
    expect(silent.findings.map(({ check }) => check)).to.deep.equal(['unreachable']);
  });

  it('ends a rotated key: cosign refuses what it signs afterwards, and verifies what it signed before', async () => {
    const { env, rekorUrl, registry: prefix, ca, robot, issuer } = desk.stack;
    await using registry = await RegistrySession.open({ ca, account: robot });
    const { ref } = await pushImage(registry, `${prefix}/trust-${randomUUID()}`);
    const token = ['--identity-token', await desk.tokenFile(), '--trusted-root', files.root];
    const signed = await desk.judges.cosign([
      'sign',
      '--yes',
      ...token,
      '--signing-config',
      files.config,
      ref,
    ]);
    expect(signed.code, signed.stderr).to.equal(0);
    const rotate = async (start: string): Promise<string> => {
      const out = desk.path(`rotated-${start}.json`);
      const spec = `--rekor=url=${rekorUrl},public-key=${env['STACK_CTLOG_PUBLIC_KEY'] ?? ''},start-time=${start}`;
      const made = await ours('trust-root', 'add', files.root, spec, '--overlap', '0s', '--out', out);
      expect(made.code, made.stderr).to.equal(0);
      return out;
    };
    const identity = ['--certificate-identity-regexp', pipelineIdentity, '--certificate-oidc-issuer', issuer];
    const [before, after] = [await rotate('2020-02-01T00:00:00Z'), await rotate('2098-01-01T00:00:00Z')];
    for (const judge of [
      (root: string) => desk.judges.cosign(['verify', ...identity, '--trusted-root', root, ref]),
      (root: string) => ours('verify', ...identity, '--trusted-root', root, ref),
    ]) {
      expect((await judge(before)).code).not.to.equal(0);
      const good = await judge(after);
      expect(good.code, good.stderr).to.equal(0);
    }
  });
});

function policyWith(registry: string): string {
  return `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: trust}
spec:
  images: [{glob: "${registry}/**"}]
  authorities:
    - keyless:
        trustRootRef: golems
        identities: [{issuer: "https://kubernetes.golems.internal", subjectRegExp: "^${pipelineIdentity}$"}]
      ctlog: {trustRootRef: golems}
`;
}
