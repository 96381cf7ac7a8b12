import { readFile } from 'node:fs/promises';
import { createSecureContext, rootCertificates } from 'node:tls';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import { AppError, messageOf } from '../../model/errors.ts';

/** How one host is reached, where that differs from the rest. */
export interface HostTrust {
  /** PEM file whose certificates are trusted for this host, beside the usual ones. */
  readonly caFile?: string;
  /** The same, as PEM. */
  readonly caPem?: string;
  /** Accept any certificate. Off unless the settings say so for this host. */
  readonly unsafeSkipVerify?: boolean;
}

/** Connection pools per host, made on first use and closed together. */
export class Dispatchers implements AsyncDisposable {
  readonly #shared: Agent;
  readonly #hosts: ReadonlyMap<string, Agent>;

  private constructor(shared: Agent, hosts: ReadonlyMap<string, Agent>) {
    this.#shared = shared;
    this.#hosts = hosts;
  }

  /**
   * Reads the certificate files and prepares the pools. `caFiles` are trusted for every host (SSL_CERT_FILE). Throws
   * ERR_SETTINGS_CA_FILE.
   */
  static async open(options: {
    readonly caFiles: readonly string[];
    readonly hosts?: ReadonlyMap<string, HostTrust>;
  }): Promise<Dispatchers> {
    const common = await Promise.all(options.caFiles.map(readCertificates));
    const hosts = new Map<string, Agent>();
    for (const [host, trust] of options.hosts ?? []) {
      const own = [
        ...(trust.caFile === undefined ? [] : [await readCertificates(trust.caFile)]),
        ...(trust.caPem === undefined ? [] : [trust.caPem]),
      ];
      hosts.set(host, newAgent([...common, ...own], trust.unsafeSkipVerify === true));
    }
    return new Dispatchers(newAgent(common, false), hosts);
  }

  /** The pool for a host (`HOST[:PORT]`). */
  for(host: string): Dispatcher {
    return this.#hosts.get(host) ?? this.#shared;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#shared, ...this.#hosts.values()].map((agent) => agent.destroy()));
  }
}

function newAgent(extra: readonly string[], skipVerify: boolean): Agent {
  return new Agent({
    // Enough for every worker of a busy controller; a registry that serves fewer makes the rest wait in line.
    connections: 64,
    keepAliveTimeout: 30_000,
    connect: {
      timeout: 10_000,
      // One context for all connections: parsing the roots anew for each costs tens of milliseconds.
      secureContext: createSecureContext({ ca: [...rootCertificates, ...extra] }),
      ...(skipVerify ? { rejectUnauthorized: false } : {}),
    },
  });
}

/** What a PEM file with authorities holds. Throws ERR_SETTINGS_CA_FILE. */
export async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError(
      'ERR_SETTINGS_CA_FILE',
      `cannot read the certificates in ${file}: ${messageOf(error)}`,
      {
        kind: 'permanent',
        object: file,
        remedy: 'Name a readable PEM file in SSL_CERT_FILE or the registry settings.',
        cause: error,
      },
    );
  }
}
