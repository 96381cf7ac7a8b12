import { isIPv4 } from 'node:net';
import { LRUCache } from 'lru-cache';
import { AppError, isAppError } from '../model/errors.ts';
import { registryLimits, registryTimes } from './registry-limits.ts';
import { withSignal } from './shared-wait.ts';
import { deadlines } from '../model/limits.ts';
import type { HttpSender } from './http-sender.ts';
import type { CallOptions } from './image-store.ts';

/** True for hosts that need no TLS because nothing leaves the machine: `localhost`, 127.0.0.0/8 and `[::1]`. */
function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}

/**
 * Finds out how a registry is spoken to. HTTPS always, except that plain HTTP is used for loopback hosts and registries
 * that are configured as insecure, if they do not answer HTTPS; that is asked once and remembered.
 */
export class RegistryAddresses {
  readonly #sender: HttpSender;
  readonly #isInsecure: (host: string) => boolean;
  readonly #origins = new LRUCache<string, Promise<string>>({
    max: registryLimits.rememberedHosts,
    ttl: registryTimes.memoryMs,
  });

  constructor(sender: HttpSender, isInsecure: (host: string) => boolean) {
    this.#sender = sender;
    this.#isInsecure = isInsecure;
  }

  /** True if `host` may be reached by plain HTTP. */
  isPlainHttpAllowed(host: string): boolean {
    return isLoopbackHost(host) || this.#isInsecure(host);
  }

  /** True if a redirect or an upload may lead to `url`. */
  isReachable(url: URL): boolean {
    return url.protocol === 'https:' || (url.protocol === 'http:' && this.isPlainHttpAllowed(url.host));
  }

  /** Scheme and host of the registry, e.g. `https://harbor.golems.internal`. */
  async originOf(registry: string, options: CallOptions): Promise<string> {
    if (!this.isPlainHttpAllowed(registry)) return `https://${registry}`;
    const known = this.#origins.get(registry);
    if (known !== undefined) return withSignal(known, options.signal);
    const asked = this.#ask(registry);
    this.#origins.set(registry, asked);
    asked.catch(() => this.#origins.delete(registry));
    return withSignal(asked, options.signal);
  }

  async #ask(registry: string): Promise<string> {
    const faults: AppError[] = [];
    for (const scheme of ['https', 'http']) {
      const url = new URL(`${scheme}://${registry}/v2/`);
      const signal = AbortSignal.timeout(deadlines.registryMs);
      try {
        const { errorBytes: maxBytes } = registryLimits;
        await this.#sender.send({ method: 'HEAD', url, headers: {}, object: registry, maxBytes, signal });
        return url.origin;
      } catch (error) {
        if (!isAppError(error)) throw error;
        faults.push(error);
      }
    }
    throw new AppError('ERR_REGISTRY_UNREACHABLE', `${registry} answers neither HTTPS nor HTTP`, {
      kind: 'passing',
      object: registry,
      remedy: 'Check the address, the network path and that the registry runs; this is tried again.',
      cause: new AggregateError(faults),
    });
  }
}
