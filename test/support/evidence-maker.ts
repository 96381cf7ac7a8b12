import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityToken } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import type { Account } from './account-kubeconfig.ts';
import { controllerAccount } from './account-kubeconfig.ts';
import type { CosignLayout } from './cosign-signer.ts';
import type { Judges } from './judges.ts';

/** The kinds of evidence that the runbook's policy asks for. */
export type MadeEvidence = 'signature' | 'provenance' | 'sbom';

const complete: readonly MadeEvidence[] = ['signature', 'provenance', 'sbom'];

/** What sets the evidence for one image apart from what the policy wants. */
export interface MakeOptions {
  readonly kinds?: readonly MadeEvidence[];
  readonly layout?: CosignLayout;
  readonly account?: Account;
  readonly builderId?: string;
  /** The SBOM; absent: one without components. */
  readonly sbom?: object;
  /** File with cosign's private key, of password `lab`; absent: keyless. */
  readonly key?: string;
  /** Which log sees it; `rekor2` sees bundles alone, `none` keys alone. */
  readonly log?: 'rekor' | 'rekor2' | 'none';
}

/** Makes evidence with the real cosign 3.1.3, by default all that the runbook's policy asks for. */
export class EvidenceMaker {
  readonly #stack: Stack;
  readonly #judges: Judges;

  constructor(stack: Stack, judges: Judges) {
    this.#stack = stack;
    this.#judges = judges;
  }

  /** Attaches evidence to the image `ref`. */
  async make(ref: string, options: MakeOptions = {}): Promise<void> {
    const { kinds = complete, builderId = 'https://tekton.golems.internal/chains/v2' } = options;
    const flags = await this.#flags(options);
    const provenance = { builder: { id: builderId }, buildType: 'lab', invocation: {}, materials: [] };
    const { sbom = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components: [] } } = options;
    // One after the other: cosign appends to a tag without looking who else does.
    if (kinds.includes('signature')) await this.#run(['sign', ...flags, ref]);
    if (kinds.includes('provenance')) await this.#attest(ref, flags, ['slsaprovenance', provenance]);
    if (kinds.includes('sbom')) await this.#attest(ref, flags, ['cyclonedx', sbom]);
  }

  async #attest(
    ref: string,
    flags: readonly string[],
    [type, predicate]: readonly [string, object],
  ): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-predicate-'));
    try {
      const file = join(folder, 'predicate.json');
      await writeFile(file, JSON.stringify(predicate));
      await this.#run(['attest', ...flags, '--type', type, '--predicate', file, ref]);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async #flags(options: MakeOptions): Promise<string[]> {
    const { layout = 'tag', account = controllerAccount, key, log = 'rekor' } = options;
    const { trustedRoot, fulcioUrl, rekorUrl, env } = this.#stack;
    const signer = key === undefined ? ['--identity-token', await identityToken(account)] : ['--key', key];
    const common = ['--yes', ...signer, '--trusted-root', trustedRoot];
    if (layout === 'referrer' && log !== 'none') {
      const config = env[log === 'rekor' ? 'STACK_SIGNING_CONFIG' : 'STACK_SIGNING_CONFIG_REKOR2'];
      return [...common, '--signing-config', config ?? ''];
    }
    const format = `--new-bundle-format=${layout === 'referrer'}`;
    const services = log === 'none' ? ['--tlog-upload=false'] : ['--rekor-url', rekorUrl];
    return [...common, format, '--use-signing-config=false', '--fulcio-url', fulcioUrl, ...services];
  }

  async #run(args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.#judges.cosign(args, { COSIGN_PASSWORD: 'lab' });
    if (code !== 0) throw new Error(`cosign ${String(args[0])}: ${stderr}`);
  }
}
