import { readBounded } from '../model/bounded-body.ts';
import { formatRepository } from '../model/image-reference.ts';
import { AuthMemory, Authorizer } from './authorizer.ts';
import { HttpSender } from './http-sender.ts';
import { RegistryAddresses } from './registry-address.ts';
import { accessDenied, brokenAnswer, describeErrors, fromAnswer } from './registry-faults.ts';
import { registryLimits } from './registry-limits.ts';
import type { Clock } from '../model/clock.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Access } from './authorizer.ts';
import type { CredentialSource } from './credentials.ts';
import type {
  BufferedAnswer,
  HttpAnswer,
  HttpRequest,
  HttpSenderOptions,
  StreamedAnswer,
} from './http-sender.ts';

/** A call to a registry about one repository. */
export interface RegistryCall {
  readonly repository: Repository;
  readonly method: HttpRequest['method'];
  /** Path below `/v2/<repository>/`, or an address that the registry gave. */
  readonly target: string | URL;
  readonly access: Access;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** What it is about, for messages: `HOST/PATH:TAG`. */
  readonly object: string;
  /** Statuses to hand back; any other one is thrown as a fault. */
  readonly expect: readonly number[];
  readonly signal: AbortSignal;
}

/** Settings of {@link SharedTransport}. */
export type TransportOptions = HttpSenderOptions & { readonly clock: Clock };

/** What all users of the registries share: connections, addresses, challenges and tokens. No credentials. */
export class SharedTransport {
  readonly sender: HttpSender;
  readonly addresses: RegistryAddresses;
  readonly auth: AuthMemory;
  readonly clock: Clock;

  constructor(options: TransportOptions) {
    this.clock = options.clock;
    this.sender = new HttpSender(options);
    this.addresses = new RegistryAddresses(
      this.sender,
      (host) => options.connectionFor(host).insecure === true,
    );
    this.auth = new AuthMemory(this.sender, options.clock);
  }
}

/** Speaks to registries with one set of credentials: authentication, redirects, faults. */
export class RegistryTransport {
  readonly #shared: SharedTransport;
  readonly #authorizer: Authorizer;

  constructor(shared: SharedTransport, credentials: CredentialSource) {
    this.#shared = shared;
    this.#authorizer = new Authorizer(shared.auth, credentials, (host) =>
      shared.addresses.isPlainHttpAllowed(host),
    );
  }

  /** Calls and reads the answer, at most `maxBytes` of it. Faults: ERR_REGISTRY_*. */
  async send(call: RegistryCall & { readonly maxBytes?: number }): Promise<BufferedAnswer> {
    const maxBytes = call.maxBytes ?? registryLimits.errorBytes;
    const answer = await this.#authorised(call, (request) =>
      this.#shared.sender.send({ ...request, maxBytes }),
    );
    if (!call.expect.includes(answer.status)) throw this.#fault(call, answer, answer.bytes);
    return answer;
  }

  /** Calls and gives the body as a stream, for an answer with the first status of `expect`. Faults: ERR_REGISTRY_*. */
  async open(call: RegistryCall): Promise<StreamedAnswer> {
    const answer = await this.#authorised(call, (request) => this.#shared.sender.open(request));
    if (answer.status === call.expect[0]) return answer;
    const bytes = await readStart(answer);
    if (!call.expect.includes(answer.status)) throw this.#fault(call, answer, bytes);
    return answer;
  }

  async #authorised<A extends HttpAnswer>(
    call: RegistryCall,
    perform: (request: HttpRequest) => Promise<A>,
  ): Promise<A> {
    const origin = await this.#shared.addresses.originOf(call.repository.registry, call);
    for (let attempt = 1; ; attempt += 1) {
      const authorization = await this.#authorizer.headerFor(call, call);
      const answer = await this.#follow(call, { origin, authorization }, perform);
      if (answer.status !== 401 && answer.status !== 403) {
        this.#authorizer.accept(call);
        return answer;
      }
      const body = await readStart(answer);
      const challenge = answer.header('www-authenticate');
      const rejection = { status: answer.status, challenge, sent: authorization };
      const again = await this.#authorizer.learn(call, rejection, call);
      if (!again || attempt >= registryLimits.authorisationAttempts) {
        throw accessDenied(formatRepository(call.repository), call.access, describeErrors(body));
      }
    }
  }

  /** Follows redirects of reading calls; credentials stay with the registry's own origin. */
  async #follow<A extends HttpAnswer>(
    call: RegistryCall,
    { origin, authorization }: { readonly origin: string; readonly authorization: string | undefined },
    perform: (request: HttpRequest) => Promise<A>,
  ): Promise<A> {
    let url =
      typeof call.target === 'string'
        ? new URL(`${origin}/v2/${call.repository.path}/${call.target}`)
        : call.target;
    for (let hop = 0; hop <= registryLimits.redirects; hop += 1) {
      const answer = await perform({
        ...toRequest(call, url),
        headers: headersFor(call, url, origin, authorization),
      });
      if (!isRedirect(call, answer)) return answer;
      await readStart(answer);
      url = this.resolve(call, answer, url);
    }
    throw brokenAnswer(call.object, `more than ${registryLimits.redirects} redirects`);
  }

  /** The address in the answer's `Location`; refused if it would leave TLS. */
  resolve(call: Pick<RegistryCall, 'object'>, answer: HttpAnswer, base: URL): URL {
    const location = URL.parse(answer.header('location') ?? '', base.href);
    if (answer.header('location') === undefined || location === null) {
      throw brokenAnswer(call.object, `status ${answer.status} without a usable Location`);
    }
    if (!this.#shared.addresses.isReachable(location) || location.username !== '') {
      throw brokenAnswer(call.object, 'it leads to an address without TLS');
    }
    return location;
  }

  /** The registry's address of something below a repository. */
  async addressOf(call: Pick<RegistryCall, 'repository' | 'signal'>, path: string): Promise<URL> {
    const origin = await this.#shared.addresses.originOf(call.repository.registry, call);
    return new URL(`${origin}/v2/${call.repository.path}/${path}`);
  }

  #fault(call: RegistryCall, answer: HttpAnswer, body: Uint8Array): Error {
    const retryAfter = answer.header('retry-after');
    return fromAnswer({ status: answer.status, retryAfter, body }, call.object, this.#shared.clock.now());
  }
}

function toRequest(call: RegistryCall, url: URL): Omit<HttpRequest, 'headers'> {
  const { method, object, signal, body } = call;
  return { method, url, object, signal, ...(body === undefined ? {} : { body }) };
}

function headersFor(
  call: RegistryCall,
  url: URL,
  origin: string,
  authorization: string | undefined,
): Record<string, string> {
  const own = authorization !== undefined && url.origin === origin ? { authorization } : {};
  return { ...call.headers, ...own };
}

function isRedirect(call: RegistryCall, answer: HttpAnswer): boolean {
  return (
    [301, 302, 303, 307, 308].includes(answer.status) && (call.method === 'GET' || call.method === 'HEAD')
  );
}

/** The start of an answer that is not handed on, whose connection is freed by that. */
async function readStart(answer: HttpAnswer | StreamedAnswer | BufferedAnswer): Promise<Uint8Array> {
  if ('bytes' in answer) return answer.bytes;
  if (!('body' in answer)) return new Uint8Array();
  try {
    return await readBounded(answer.body as AsyncIterable<Uint8Array>, {
      maxBytes: registryLimits.errorBytes,
      code: 'ERR_REGISTRY_TOO_LARGE',
      object: 'answer',
    });
  } catch {
    // Only the status counts then; the stream is destroyed.
    return new Uint8Array();
  }
}
