import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityToken } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { Account } from './account-kubeconfig.ts';
import type { Judges } from './judges.ts';

/** Layout that cosign writes; `rekor2`: as `referrer`, with Rekor v2 and a timestamp in place of Rekor v1. */
export type CosignLayout = 'tag' | 'referrer' | 'rekor2';

const predicate = {
  builder: { id: 'https://somebody.example/builder' },
  buildType: 'https://somebody.example/build',
  invocation: {},
  materials: [],
};

/** Signs and attests with the real cosign as some ServiceAccount: somebody else, or ourselves by hand. */
export class CosignSigner {
  readonly #stack: Stack;
  readonly #judges: Judges;
  readonly #account: Account;

  constructor(parts: { readonly stack: Stack; readonly judges: Judges; readonly account: Account }) {
    this.#stack = parts.stack;
    this.#judges = parts.judges;
    this.#account = parts.account;
  }

  /** Attaches an image signature. */
  async sign(ref: string, layout: CosignLayout): Promise<void> {
    await this.#run(['sign', ...(await this.#flags(layout)), ref]);
  }

  /** Attaches a SLSA v0.2 provenance of its own making, of a build that ended at `finishedOn` (RFC 3339). */
  async attest(
    ref: string,
    layout: CosignLayout,
    { finishedOn = '2026-01-01T00:00:00Z' }: { readonly finishedOn?: string } = {},
  ): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-predicate-'));
    try {
      const file = join(folder, 'predicate.json');
      await writeFile(file, JSON.stringify({ ...predicate, metadata: { buildFinishedOn: finishedOn } }));
      const type = ['--type', 'slsaprovenance', '--predicate', file];
      await this.#run(['attest', ...(await this.#flags(layout)), ...type, ref]);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async #flags(layout: CosignLayout): Promise<string[]> {
    const token = await identityToken(this.#account);
    const common = ['--yes', '--identity-token', token, '--trusted-root', this.#stack.trustedRoot];
    if (layout !== 'tag') {
      const config = layout === 'rekor2' ? 'STACK_SIGNING_CONFIG_REKOR2' : 'STACK_SIGNING_CONFIG';
      return [...common, '--signing-config', this.#stack.env[config] ?? ''];
    }
    const { fulcioUrl, rekorUrl } = this.#stack;
    const services = ['--fulcio-url', fulcioUrl, '--rekor-url', rekorUrl];
    return [...common, '--new-bundle-format=false', '--use-signing-config=false', ...services];
  }

  async #run(args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.#judges.cosign(args);
    if (code !== 0) throw new Error(`cosign ${String(args[0])}: ${stderr}`);
  }
}
