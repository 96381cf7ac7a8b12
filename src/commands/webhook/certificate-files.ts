import { readFile } from 'node:fs/promises';
import type { Clock } from '../../model/clock.ts';
import { AppError, messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { ServingCertificate } from '../../model/serving-certificate.ts';
import type { CertificateSource } from '../../reconcilers/serving-certificate-keeper.ts';

/** Files with the serving certificate, such as cert-manager keeps in a mounted Secret. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** What callers have to trust; absent: somebody else keeps the `caBundle`. */
  readonly authority?: string | undefined;
}

const pollMs = 20_000;
const maxBytes = 256 * 1024;

/** A serving certificate in files, which are looked at from time to time. */
export class CertificateFilesSource implements CertificateSource {
  readonly #files: CertificateFiles;
  readonly #parts: { readonly clock: Clock; readonly log: Pick<Log, 'info' | 'warn'> };
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  #current: ServingCertificate;

  private constructor(
    files: CertificateFiles,
    current: ServingCertificate,
    parts: { readonly clock: Clock; readonly log: Pick<Log, 'info' | 'warn'> },
  ) {
    this.#files = files;
    this.#current = current;
    this.#parts = parts;
  }

  /** Reads the files. Throws ERR_ADMISSION_CERTIFICATE. */
  static async open(
    files: CertificateFiles,
    parts: { readonly clock: Clock; readonly log: Pick<Log, 'info' | 'warn'> },
  ): Promise<CertificateFilesSource> {
    return new CertificateFilesSource(files, await readFiles(files), parts);
  }

  current(): ServingCertificate {
    return this.#current;
  }

  onChange(listener: (certificate: ServingCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  findUnready(): string | undefined {
    return undefined;
  }

  /** Looks at the files until `signal` aborts; what cannot be read or taken over leaves the certificate as it is. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { clock, log } = this.#parts;
    for (;;) {
      await clock.sleep(pollMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#lookAgain();
      } catch (error) {
        log.warn('the serving certificate in the files was not taken over', { error: messageOf(error) });
      }
    }
  }

  async #lookAgain(): Promise<void> {
    const next = await readFiles(this.#files);
    if (JSON.stringify(next) === JSON.stringify(this.#current)) return;
    // A listener that refuses it, since key and certificate do not fit together yet, is asked again next time.
    for (const listener of this.#listeners) listener(next);
    this.#current = next;
    this.#parts.log.info('the serving certificate in the files was taken over', {});
  }
}

async function readFiles({ certificate, key, authority }: CertificateFiles): Promise<ServingCertificate> {
  return {
    certificatePem: await readPem(certificate),
    keyPem: await readPem(key),
    authorityPem: authority === undefined ? '' : await readPem(authority),
  };
}

async function readPem(file: string): Promise<string> {
  try {
    const bytes = await readFile(file);
    if (bytes.byteLength > maxBytes) throw new Error('it is too large');
    return bytes.toString('utf8');
  } catch (error) {
    throw new AppError('ERR_ADMISSION_CERTIFICATE', `cannot read ${file}: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Name readable PEM files in --tls-cert, --tls-key and --tls-ca.',
      cause: error,
    });
  }
}
