import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityToken, openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { Judges } from '../../support/judges.ts';
import type { Judgement } from '../../support/judges.ts';
import { runCli } from './cli.ts';
import type { CliOutcome } from './cli.ts';

/** A folder to sign in, with the real cosign beside our own commands. */
export class OperatorDesk implements AsyncDisposable {
  readonly stack: Stack;
  readonly judges: Judges;
  readonly folder: string;

  private constructor(stack: Stack, judges: Judges, folder: string) {
    this.stack = stack;
    this.judges = judges;
    this.folder = folder;
  }

  static async open(): Promise<OperatorDesk> {
    const stack = await openStack();
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-operator-'));
    return new OperatorDesk(stack, await Judges.open(stack), folder);
  }

  /** Runs one of our commands; the stack is named in its environment, as a user's profile would. */
  ours(...args: readonly string[]): Promise<CliOutcome> {
    const { env, kubeconfig, rekorUrl, fulcioUrl, trustedRoot } = this.stack;
    return runCli(args, {
      cwd: this.folder,
      env: {
        KUBECONFIG: kubeconfig,
        SSL_CERT_FILE: env['SSL_CERT_FILE'] ?? '',
        DOCKER_CONFIG: env['DOCKER_CONFIG'] ?? '',
        COSIGN_REKOR_URL: rekorUrl,
        COSIGN_FULCIO_URL: fulcioUrl,
        COSIGN_TRUSTED_ROOT: trustedRoot,
        COSIGN_PASSWORD: 'lab',
      },
    });
  }

  /** As {@link ours}, without anything that tells of servers, authorities or credentials. */
  oursBare(...args: readonly string[]): Promise<CliOutcome> {
    return runCli(args, { cwd: this.folder, env: { DOCKER_CONFIG: this.folder, SSL_CERT_FILE: '' } });
  }

  /** Runs cosign; for its older formats the environment names the keys of the stack. */
  cosign(...args: readonly string[]): Promise<Judgement> {
    const { env } = this.stack;
    return this.judges.cosign(args, {
      COSIGN_PASSWORD: 'lab',
      SIGSTORE_ROOT_FILE: env['STACK_FULCIO_ROOT'] ?? '',
      SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: env['STACK_CTLOG_PUBLIC_KEY'] ?? '',
      SIGSTORE_REKOR_PUBLIC_KEY: env['STACK_REKOR_PUBLIC_KEY'] ?? '',
    });
  }

  /** A file of the folder, by its whole name. */
  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, content: string): Promise<string> {
    await writeFile(this.path(name), content);
    return this.path(name);
  }

  /** A file with a fresh token of the controller. */
  async tokenFile(): Promise<string> {
    return this.write('token', await identityToken());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.judges[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
