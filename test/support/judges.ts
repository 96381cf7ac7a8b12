import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stack } from '../../hack/stack/stack.ts';
import { waitFor } from './waiting.ts';

/** What a judge said. */
export interface Judgement {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A different signer to ask for, to see a judge refuse. */
export interface AskedIdentity {
  readonly identityRegexp?: string;
  readonly issuer?: string;
  /** A trust root other than the stack's. */
  readonly trustedRoot?: string;
}

/** A log entry as `rekor-cli get --format json` prints it. */
export interface PrintedEntry {
  readonly LogIndex: number;
  readonly LogID: string;
  readonly IntegratedTime: number;
  readonly UUID: string;
  readonly Body: Readonly<Record<string, unknown>>;
}

/** The runbook's identity of the pipeline. */
export const pipelineIdentity =
  'https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/tekton-chains-controller';

/**
 * The runbook's commands with the real cosign and rekor-cli: its flags, and besides them only what points to the local
 * trust root and log. Each judge has a home of its own, so that nothing is remembered from elsewhere.
 */
export class Judges implements AsyncDisposable {
  readonly #stack: Stack;
  readonly #home: string;

  private constructor(stack: Stack, home: string) {
    this.#stack = stack;
    this.#home = home;
  }

  static async open(stack: Stack): Promise<Judges> {
    const home = await mkdtemp(join(tmpdir(), 'chainwright-judges-'));
    await mkdir(tufFolder(home));
    // Nobody listens there: no judge depends on the internet. One of cosign's two TUF clients ignores TUF_MIRROR.
    await writeFile(join(tufFolder(home), 'remote.json'), JSON.stringify({ mirror: 'http://127.0.0.1:9' }));
    return new Judges(stack, home);
  }

  /** `cosign verify` as in the runbook; `flags` only where a test says why. */
  verify(ref: string, asked: AskedIdentity = {}, flags: readonly string[] = []): Promise<Judgement> {
    return this.cosign(['verify', ...flags, ...this.#identity(asked), ref]);
  }

  /** `cosign verify-attestation --type TYPE` as in the runbook. */
  verifyAttestation(
    ref: string,
    type = 'slsaprovenance',
    asked: AskedIdentity = {},
    flags: readonly string[] = [],
  ): Promise<Judgement> {
    return this.cosign(['verify-attestation', '--type', type, ...flags, ...this.#identity(asked), ref]);
  }

  /** `rekor-cli search --sha`: the UUIDs that it found. Throws if it could not ask. */
  async search(digest: string): Promise<readonly string[]> {
    const { code, stdout, stderr } = await this.#rekorCli(['search', '--sha', digest, '--format', 'json']);
    if (code !== 0 && stderr.includes('no matching entries found')) return [];
    if (code !== 0) throw new Error(`rekor-cli search --sha ${digest}: ${stderr}`);
    return (JSON.parse(stdout) as { UUIDs: string[] | null }).UUIDs ?? [];
  }

  /** Searches until as many UUIDs are found: Rekor writes its index after it has answered. */
  async searchUntilFound(digest: string, count = 1): Promise<readonly string[]> {
    return waitFor(
      async () => {
        const found = await this.search(digest);
        return found.length >= count ? found : undefined;
      },
      { what: `${digest} being in the index of the log`, timeoutMs: 60_000 },
    );
  }

  /** `rekor-cli get --log-index`. Throws if it fails, inclusion proof and signed entry timestamp being part of what it checks. */
  async getEntry(logIndex: number): Promise<PrintedEntry> {
    return this.#printed(['get', '--log-index', String(logIndex), '--format', 'json']);
  }

  /** `rekor-cli get --uuid`. */
  async getEntryByUuid(uuid: string): Promise<PrintedEntry> {
    return this.#printed(['get', '--uuid', uuid, '--format', 'json']);
  }

  /** Any other cosign command. */
  cosign(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Judgement> {
    return this.#run('cosign', args, env);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#home, { recursive: true, force: true });
  }

  async #printed(args: readonly string[]): Promise<PrintedEntry> {
    const { code, stdout, stderr } = await this.#rekorCli(args);
    if (code !== 0) throw new Error(`rekor-cli ${args.join(' ')}: ${stderr}`);
    return JSON.parse(stdout) as PrintedEntry;
  }

  #rekorCli(args: readonly string[]): Promise<Judgement> {
    return this.#run('rekor-cli', [...args, '--rekor_server', this.#stack.rekorUrl], {});
  }

  #identity(asked: AskedIdentity): string[] {
    const { issuer, trustedRoot } = this.#stack;
    const { identityRegexp = pipelineIdentity } = asked;
    return [
      '--certificate-identity-regexp',
      identityRegexp,
      '--certificate-oidc-issuer',
      asked.issuer ?? issuer,
      '--trusted-root',
      asked.trustedRoot ?? trustedRoot,
    ];
  }

  async #run(
    program: 'cosign' | 'rekor-cli',
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Judgement> {
    const { PATH = '' } = process.env;
    const child = spawn(join(this.#stack.bin, program), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH,
        HOME: this.#home,
        TUF_ROOT: tufFolder(this.#home),
        SSL_CERT_FILE: this.#stack.env['SSL_CERT_FILE'] ?? '',
        DOCKER_CONFIG: this.#stack.env['DOCKER_CONFIG'] ?? '',
        ...env,
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject).once('close', (exit) => {
        resolve(exit ?? 1);
      });
    });
    return { code, stdout, stderr };
  }
}

function tufFolder(home: string): string {
  return join(home, 'tuf');
}
