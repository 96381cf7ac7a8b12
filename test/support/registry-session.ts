import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { sha256 } from './images.ts';

/** What a session needs to know. */
export interface RegistrySessionOptions {
  /** PEM file with the authority of the registry's TLS certificate. */
  readonly ca: string;
  /** Account for the token service; absent where none is asked for. */
  readonly account?: { readonly user: string; readonly password: string };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
}

const accept = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.oci.image.index.v1+json'].join(
  ', ',
);

/**
 * Registries for tests: pushes and reads a few small things, with the tokens that a registry asks for. It shares no
 * code with the product, whose registry client is under test.
 */
export class RegistrySession implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #account: RegistrySessionOptions['account'];
  readonly #tokens = new Map<string, Promise<string | undefined>>();
  readonly #blobs = new Set<string>();

  private constructor(agent: Agent, account: RegistrySessionOptions['account']) {
    this.#agent = agent;
    this.#account = account;
  }

  static async open({ ca, account }: RegistrySessionOptions): Promise<RegistrySession> {
    const agent = new Agent({ connections: 16, connect: { ca: await readFile(ca) } });
    return new RegistrySession(agent, account);
  }

  /** Uploads a blob, unless this session did so before. */
  async putBlob(repository: string, bytes: Buffer): Promise<void> {
    const digest = sha256(bytes);
    if (this.#blobs.has(`${repository}@${digest}`)) return;
    const opened = await this.#send('POST', repository, 'blobs/uploads/');
    const location = new URL(String(opened.headers['location']), `https://${hostOf(repository)}`);
    location.searchParams.set('digest', digest);
    await this.#send('PUT', repository, location, { body: bytes, contentType: 'application/octet-stream' });
    this.#blobs.add(`${repository}@${digest}`);
  }

  /** Puts a manifest under `reference`, or under its digest; gives the digest. */
  async putManifest(
    repository: string,
    bytes: Buffer,
    contentType: string,
    reference?: string,
  ): Promise<string> {
    const digest = sha256(bytes);
    await this.#send('PUT', repository, `manifests/${reference ?? digest}`, { body: bytes, contentType });
    return digest;
  }

  /** A manifest by tag or digest; undefined if there is none. */
  async findManifest(repository: string, reference: string): Promise<Buffer | undefined> {
    return this.#find(repository, `manifests/${reference}`);
  }

  /** A blob; undefined if there is none. */
  async findBlob(repository: string, digest: string): Promise<Buffer | undefined> {
    return this.#find(repository, `blobs/${digest}`);
  }

  /** The answer of the referrers API; undefined where the registry has none. */
  async findReferrers(repository: string, digest: string): Promise<Buffer | undefined> {
    return this.#find(repository, `referrers/${digest}`);
  }

  /** Deletes what a tag or digest names; no error if there is nothing. */
  async deleteManifest(repository: string, reference: string): Promise<void> {
    await this.#send('DELETE', repository, `manifests/${reference}`, { may: [404] });
  }

  /** The tags of a repository. */
  async listTags(repository: string): Promise<readonly string[]> {
    const bytes = await this.#find(repository, 'tags/list?n=10000');
    if (bytes === undefined) return [];
    return (JSON.parse(bytes.toString('utf8')) as { tags: string[] | null }).tags ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #find(repository: string, path: string): Promise<Buffer | undefined> {
    const { status, bytes } = await this.#send('GET', repository, path, { may: [404] });
    return status === 404 ? undefined : bytes;
  }

  async #send(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    repository: string,
    path: string | URL,
    options: { body?: Buffer; contentType?: string; may?: readonly number[] } = {},
  ): Promise<Answer> {
    const url =
      typeof path === 'string' ? `https://${hostOf(repository)}/v2/${pathOf(repository)}/${path}` : path.href;
    const token = await this.#token(repository);
    const answer = await request(url, {
      method,
      dispatcher: this.#agent,
      headers: {
        accept,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(options.contentType === undefined ? {} : { 'content-type': options.contentType }),
      },
      ...(options.body === undefined ? {} : { body: options.body }),
    });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode >= 300 && !(options.may ?? []).includes(answer.statusCode)) {
      throw new Error(`${method} ${url}: ${answer.statusCode} ${bytes.toString('utf8').slice(0, 300)}`);
    }
    return { status: answer.statusCode, headers: answer.headers, bytes };
  }

  #token(repository: string): Promise<string | undefined> {
    const known = this.#tokens.get(repository) ?? this.#fetchToken(repository);
    this.#tokens.set(repository, known);
    return known;
  }

  async #fetchToken(repository: string): Promise<string | undefined> {
    const ping = await request(`https://${hostOf(repository)}/v2/`, { dispatcher: this.#agent });
    await ping.body.dump();
    const challenge = String(ping.headers['www-authenticate'] ?? '');
    const realm = /realm="([^"]+)"/.exec(challenge)?.[1];
    if (realm === undefined || this.#account === undefined) return undefined;
    const url = new URL(realm);
    url.searchParams.set('service', /service="([^"]+)"/.exec(challenge)?.[1] ?? '');
    url.searchParams.set('scope', `repository:${pathOf(repository)}:pull,push,delete`);
    const { user, password } = this.#account;
    const answer = await request(url, {
      dispatcher: this.#agent,
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
    });
    return ((await answer.body.json()) as { token: string }).token;
  }
}

function hostOf(repository: string): string {
  return repository.slice(0, repository.indexOf('/'));
}

function pathOf(repository: string): string {
  return repository.slice(repository.indexOf('/') + 1);
}
