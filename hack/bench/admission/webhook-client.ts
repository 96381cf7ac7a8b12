import { randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';

/** Where a webhook listens, and how its certificate is checked. */
export interface WebhookAddress {
  readonly url: string;
  /** The name in its certificate. */
  readonly serverName: string;
  /** PEM of the authority of its certificate. */
  readonly authority: string;
}

/** What a webhook said about one Pod. */
export interface Verdict {
  readonly allowed: boolean;
  readonly message: string;
  /** From the first byte sent to the last one read, in milliseconds. */
  readonly milliseconds: number;
}

interface AdmissionReview {
  readonly response: { readonly allowed: boolean; readonly status?: { readonly message?: string } };
}

const timeoutMs = 60_000;

/** Asks a webhook as the API server does, over connections that stay open. */
export class WebhookClient implements AsyncDisposable {
  readonly #url: string;
  readonly #namespace: string;
  readonly #agent: Agent;

  constructor({ url, serverName, authority }: WebhookAddress, namespace: string) {
    this.#url = url;
    this.#namespace = namespace;
    this.#agent = new Agent({ connections: 64, connect: { ca: authority, servername: serverName } });
  }

  /** Asks whether a Pod of one container with this image may be created. */
  async ask(image: string): Promise<Verdict> {
    const body = JSON.stringify(podReview(image, this.#namespace));
    const began = performance.now();
    const answer = await request(this.#url, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { 'content-type': 'application/json' },
      headersTimeout: timeoutMs,
      body,
    });
    const text = await answer.body.text();
    const milliseconds = performance.now() - began;
    if (answer.statusCode !== 200)
      throw new Error(`${this.#url}: ${answer.statusCode} ${text.slice(0, 400)}`);
    const { response } = JSON.parse(text) as AdmissionReview;
    return { allowed: response.allowed, message: response.status?.message ?? '', milliseconds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

const kind = { group: '', version: 'v1', kind: 'Pod' };
const resource = { group: '', version: 'v1', resource: 'pods' };

function podReview(image: string, namespace: string): object {
  const name = `bench-${randomUUID().slice(0, 8)}`;
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: randomUUID(),
      kind,
      resource,
      requestKind: kind,
      requestResource: resource,
      name,
      namespace,
      operation: 'CREATE',
      userInfo: { username: 'bench', groups: ['system:authenticated'] },
      object: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels: { app: 'bench' } },
        spec: {
          serviceAccountName: 'default',
          containers: [{ name: 'app', image, ports: [{ containerPort: 8080 }] }],
          restartPolicy: 'Always',
        },
      },
      oldObject: null,
      dryRun: false,
      options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' },
    },
  };
}
