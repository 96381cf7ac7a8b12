import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';

/** An object of the API server, as far as the tests look into it. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
  };
  readonly [field: string]: unknown;
}

/** An answer of the API server that is no success. */
class KubeApiError extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, what: string, body: string) {
    super(`${what}: ${status} ${body.slice(0, 4000)}`);
    this.status = status;
    this.body = body;
  }
}

/** What became of a write. */
export interface WriteOutcome {
  /** As it was written; absent if it was refused. */
  readonly object?: KubeObject;
  /** Why it was refused, whole, with the HTTP status; absent if it was not. */
  readonly refusal?: { readonly status: number; readonly message: string };
}

interface AdminConfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

const contentTypes = {
  merge: 'application/merge-patch+json',
  patch: 'application/json-patch+json',
  json: 'application/json',
} as const;

/**
 * The API server for tests, as the cluster's administrator: plain requests on kept connections. It shares no code with
 * the product, whose client is under test.
 */
export class KubeApi implements AsyncDisposable {
  readonly #server: string;
  readonly #agent: Agent;

  private constructor(server: string, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
  }

  /** Opens the API server that the stack's kubeconfig names. */
  static async open(kubeconfig: string): Promise<KubeApi> {
    const { clusters, users } = JSON.parse(await readFile(kubeconfig, 'utf8')) as AdminConfig;
    const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');
    const agent = new Agent({
      connections: 32,
      connect: {
        ca: bytes(clusters[0].cluster['certificate-authority-data']),
        cert: bytes(users[0].user['client-certificate-data']),
        key: bytes(users[0].user['client-key-data']),
      },
    });
    return new KubeApi(clusters[0].cluster.server, agent);
  }

  /** Reads an object or a list. Throws KubeApiError. */
  async get<T = KubeObject>(path: string): Promise<T> {
    return (await this.#send('GET', path)) as T;
  }

  /** Reads an object; undefined if there is none. */
  async find<T = KubeObject>(path: string): Promise<T | undefined> {
    try {
      return await this.get<T>(path);
    } catch (error) {
      if (error instanceof KubeApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** The items of a list. */
  async list<T = KubeObject>(path: string): Promise<readonly T[]> {
    return (await this.get<{ readonly items: readonly T[] }>(path)).items;
  }

  async create(path: string, body: unknown): Promise<KubeObject> {
    return (await this.#send('POST', path, body)) as KubeObject;
  }

  async replace(path: string, body: unknown): Promise<KubeObject> {
    return (await this.#send('PUT', path, body)) as KubeObject;
  }

  async mergePatch(path: string, body: unknown): Promise<KubeObject> {
    return (await this.#send('PATCH', path, body, contentTypes.merge)) as KubeObject;
  }

  async jsonPatch(path: string, operations: readonly unknown[]): Promise<KubeObject> {
    return (await this.#send('PATCH', path, operations, contentTypes.patch)) as KubeObject;
  }

  /** Tells what became of a write instead of throwing what the API server answers. */
  async attempt(write: (api: KubeApi) => Promise<KubeObject>): Promise<WriteOutcome> {
    try {
      return { object: await write(this) };
    } catch (error) {
      if (!(error instanceof KubeApiError)) throw error;
      const { message } = JSON.parse(error.body) as { readonly message: string };
      return { refusal: { status: error.status, message } };
    }
  }

  /** Deletes an object or a collection; one that is not there is no error. */
  async delete(path: string): Promise<void> {
    try {
      await this.#send('DELETE', path);
    } catch (error) {
      if (!(error instanceof KubeApiError && error.status === 404)) throw error;
    }
  }

  /** The lines of a watch, until it ends or `signal` fires. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<{ type: string; object: KubeObject }> {
    const { statusCode, body } = await request(`${this.#server}${path}`, { dispatcher: this.#agent, signal });
    if (statusCode !== 200) throw new KubeApiError(statusCode, `watch ${path}`, await body.text());
    let rest = '';
    for await (const chunk of body.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as { type: string; object: KubeObject };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    contentType: string = contentTypes.json,
  ): Promise<unknown> {
    const answer = await request(`${this.#server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { 'content-type': contentType },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new KubeApiError(answer.statusCode, `${method} ${path}`, text);
    return JSON.parse(text) as unknown;
  }
}
