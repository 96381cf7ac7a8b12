import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { builtPath, ensureBuilt } from '../../hack/stack/build/binaries.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { componentNamed } from '../../hack/stack/versions.ts';
import type { ImageValidatingPolicy, KyvernoTuf } from '../../src/policy/kyverno/kyverno-types.ts';
import { TestTufRepository, startTestMirror } from './tuf-repository.ts';

/** What the real Kyverno said of an object. */
export interface KyvernoVerdict {
  readonly outcome: 'admitted' | 'denied' | 'warned';
  readonly counts: Readonly<Record<'pass' | 'fail' | 'warn' | 'error' | 'skip', number>>;
  /** All that it printed. */
  readonly text: string;
}

/** What is judged: an object in a namespace with these labels. */
export interface KyvernoCase {
  readonly policies: readonly ImageValidatingPolicy[];
  readonly object: object;
  readonly timeoutMs?: number;
}

const component = componentNamed('kyverno');
/** The namespace of every object; it is enforced. */
export const enforcedNamespace = 'production';

/**
 * The engine of Kyverno, as its command line runs it: `kyverno apply --registry`, with the stack's certificate authority and
 * registry account, and a TUF repository that holds the stack's trust root.
 */
export class KyvernoCli implements AsyncDisposable {
  /** What exported policies have to name, so that Kyverno visits it. */
  readonly tuf: KyvernoTuf;
  readonly #stack: Stack;
  readonly #folder: string;
  readonly #closing: AsyncDisposableStack;

  private constructor(parts: {
    readonly stack: Stack;
    readonly tuf: KyvernoTuf;
    readonly folder: string;
    readonly closing: AsyncDisposableStack;
  }) {
    this.tuf = parts.tuf;
    this.#stack = parts.stack;
    this.#folder = parts.folder;
    this.#closing = parts.closing;
  }

  /** Builds Kyverno's command line where it is not there yet: some minutes. */
  static async open(stack: Stack): Promise<KyvernoCli> {
    await ensureBuilt([component]);
    await using opened = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-kyverno-'));
    opened.defer(() => rm(folder, { recursive: true, force: true }));
    const bytes = await readFile(stack.trustedRoot);
    const repository = new TestTufRepository().publish({ targets: { 'trusted_root.json': { bytes } } });
    repository.files.set('1.root.json', repository.root).set('root.json', repository.root);
    const mirror = opened.use(await startTestMirror(repository.files));
    const tuf = { mirror: mirror.url, root: { data: repository.root.toString('base64') } };
    return new KyvernoCli({ stack, tuf, folder, closing: opened.move() });
  }

  /** Judges an object. An answer that never comes is a denial: so the API server sees it. */
  async judge({ policies, object, timeoutMs = 60_000 }: KyvernoCase): Promise<KyvernoVerdict> {
    const folder = await mkdtemp(join(this.#folder, 'case-'));
    const policyFile = join(folder, 'policies.yaml');
    const objectFile = join(folder, 'object.json');
    const valuesFile = join(folder, 'values.json');
    await writeFile(policyFile, policies.map((policy) => `---\n${JSON.stringify(policy)}\n`).join(''));
    await writeFile(objectFile, JSON.stringify(object));
    await writeFile(
      valuesFile,
      JSON.stringify({
        apiVersion: 'cli.kyverno.io/v1alpha1',
        kind: 'Values',
        namespaceSelector: [{ name: enforcedNamespace, labels: { 'sigstore-policy': 'enforce' } }],
      }),
    );
    const args = ['apply', policyFile, '--resource', objectFile, '--registry', '--values-file', valuesFile];
    const text = await this.#run([...args, '--remove-color'], timeoutMs);
    return toVerdict(text, policies);
  }

  #run(args: readonly string[], timeoutMs: number): Promise<string> {
    const { SSL_CERT_FILE = '', DOCKER_CONFIG = '' } = this.#stack.env;
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#folder,
      TUF_ROOT: join(this.#folder, 'tuf'),
      SSL_CERT_FILE,
      DOCKER_CONFIG,
    };
    return new Promise((resolve, reject) => {
      const child = spawn(builtPath(component), args, { env, cwd: this.#folder, timeout: timeoutMs });
      const output: Buffer[] = [];
      child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
      child.stderr.on('data', (bytes: Buffer) => output.push(bytes));
      child.on('error', reject);
      child.on('close', (code, signal) => {
        resolve(`${Buffer.concat(output).toString('utf8')}\nexit ${String(code ?? signal)}\n`);
      });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing.disposeAsync();
  }
}

const counted = ['pass', 'fail', 'warn', 'error', 'skip'] as const;

/** The command line counts what fails whatever the policy's action is; at admission Warn lets pass. */
function toVerdict(text: string, policies: readonly ImageValidatingPolicy[]): KyvernoVerdict {
  const summary = /pass: (\d+), fail: (\d+), warn: (\d+), error: (\d+), skip: (\d+)/.exec(text);
  const numbers = counted.map((name, index) => [name, Number(summary?.[index + 1] ?? 0)] as const);
  const counts = Object.fromEntries(numbers) as KyvernoVerdict['counts'];
  // What was not judged, or crashed, does not admit.
  if (counts.pass === policies.length && text.includes('\nexit 0\n'))
    return { outcome: 'admitted', counts, text };
  const failed = [...text.matchAll(/^policy (\S+) -> resource \S+ failed/gm)].map(([, name]) => name);
  const isWarned =
    failed.length > 0 &&
    counts.pass + failed.length === policies.length &&
    policies.every(
      ({ metadata, spec }) => !failed.includes(metadata.name) || !spec.validationActions.includes('Deny'),
    );
  return { outcome: isWarned ? 'warned' : 'denied', counts, text };
}
