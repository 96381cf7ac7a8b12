import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Agent } from 'undici';
import { OwnEvidence } from '../../../src/attestation/own-evidence.ts';
import type { AttestationParts } from '../../../src/attestation/attestation-parts.ts';
import { PendingSignatures } from '../../../src/attestation/signed-artifact.ts';
import { Witnessing } from '../../../src/attestation/witnessing.ts';
import { findOwnEvidence } from '../../../src/attestation/survey-evidence.ts';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { KubeRecordStore } from '../../../src/kube/signing-records.ts';
import type { Digest } from '../../../src/model/digest.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import type { TransparencyLog } from '../../../src/transparency/transparency-log.ts';
import { FakeObjects } from '../kube/fake-objects.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { openWorkshop } from '../signing/signed-evidence.ts';
import type { Workshop } from '../signing/signed-evidence.ts';
import { Mishaps } from './mishaps.ts';

/** A development Sigstore with signers and log client, shared by the tests of a file. */
export interface Sigstore extends AsyncDisposable {
  readonly workshop: Workshop;
  /** The same identity with another certificate. */
  readonly renewed: Workshop;
  /** A workshop of somebody else whom the same trust root knows. */
  readonly stranger: Workshop;
}

export async function openSigstore(): Promise<Sigstore> {
  const sigstore = await startDevelopmentSigstore();
  const dispatcher = new Agent();
  const { fulcioUrl, rekorUrl, trustedRoot } = sigstore;
  const issueToken = (): Promise<string> => sigstore.issueToken('system:serviceaccount:tenant:builder');
  return {
    workshop: openWorkshop(sigstore, dispatcher),
    renewed: openWorkshop(sigstore, dispatcher),
    stranger: openWorkshop({ fulcioUrl, rekorUrl, trustedRoot, issueToken }, dispatcher),
    [Symbol.asyncDispose]: async () => {
      await dispatcher.destroy();
      await sigstore[Symbol.asyncDispose]();
    },
  };
}

/** What a process holds; its memory is lost when another one is started. */
export interface Process {
  readonly parts: AttestationParts;
  readonly store: ImageStore;
  readonly mishaps: Mishaps;
}

/** Evidence in the registry that verifies as ours. */
export interface Held {
  readonly layout: 'tag' | 'referrer';
  readonly form: 'simple-signing' | 'statement';
  readonly payloadDigest: Digest;
  readonly payload: string;
}

/** What outlives a process: the registry, the cluster and the log. */
export class World implements AsyncDisposable {
  readonly store: ImageStore;
  readonly objects = new FakeObjects();
  readonly sigstore: Sigstore;
  /** Indices of the entries that the log took. */
  readonly logIndices = new Set<number>();
  readonly counted: string[] = [];
  readonly #folder: string;

  private constructor(store: ImageStore, folder: string, sigstore: Sigstore) {
    this.store = store;
    this.#folder = folder;
    this.sigstore = sigstore;
  }

  static async open(sigstore: Sigstore): Promise<World> {
    const folder = await mkdtemp(path.join(tmpdir(), 'chainwright-world-'));
    return new World(await openLayoutStore(folder, systemClock), folder, sigstore);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Tells our evidence from others'. */
  get evidence(): OwnEvidence {
    const { trustRoot } = this.sigstore.workshop;
    return new OwnEvidence({ trustRoot: () => trustRoot, isLogged: true, clock: systemClock });
  }

  startProcess({ signer, rekor, trustRoot }: Workshop = this.sigstore.workshop): Process {
    const mishaps = new Mishaps();
    const count = (what: string) => (kind: string) => this.counted.push(`${what} ${kind}`);
    const log = mishaps.wrap('log', this.#counting(rekor));
    const parts: AttestationParts = {
      signer: mishaps.wrap('signer', { acquire: (options) => signer.acquire(options) }),
      witnesses: {
        current: () => Promise.resolve({ logs: [log], timestampAuthorities: [], trustRoot }),
      },
      witnessing: new Witnessing(),
      records: mishaps.wrap('records', new KubeRecordStore(this.objects)),
      pending: new PendingSignatures(systemClock),
      evidence: this.evidence,
      metrics: {
        artifactSigned: count('signed'),
        logEntryAppended: count('logged'),
        pushed: (layout, kind) => this.counted.push(`pushed ${layout} ${kind}`),
        stageTook: () => undefined,
      },
      clock: systemClock,
    };
    return { parts, store: mishaps.wrap('store', this.store), mishaps };
  }

  /** All evidence of ours beside an image, in both layouts. */
  async readHeld(image: PinnedImage): Promise<readonly Held[]> {
    const { signal } = new AbortController();
    const key = await this.sigstore.workshop.signer.acquire({ signal });
    const options = { evidence: this.evidence, key, signal };
    const places = [
      { layout: 'tag', form: 'simple-signing' },
      { layout: 'tag', form: 'statement' },
      { layout: 'referrer', form: 'statement' },
    ] as const;
    const held: Held[] = [];
    for (const place of places) {
      for (const { payload, payloadDigest } of await findOwnEvidence(this.store, image, {
        ...options,
        ...place,
      })) {
        held.push({ ...place, payloadDigest, payload: Buffer.from(payload).toString('utf8') });
      }
    }
    return held;
  }

  #counting(log: TransparencyLog): TransparencyLog {
    return {
      url: log.url,
      tellsTime: log.tellsTime,
      append: async (proposal, options) => {
        const logged = await log.append(proposal, options);
        this.logIndices.add(logged.recorded.logIndex);
        return logged;
      },
    };
  }
}
