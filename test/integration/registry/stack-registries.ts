import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent } from 'undici';
import { openStack } from '../../../hack/stack/stack.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { openRegistries } from '../../../src/registry/distribution-store.ts';
import { dockerConfigFileSource } from '../../../src/registry/docker-config.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import type { Repository } from '../../../src/model/image-reference.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import type { Stack } from '../../../hack/stack/stack.ts';

/** The stack's registries as one process sees them, with every request that it sends. */
export class StackRegistries {
  readonly sent: string[] = [];
  readonly #agent: Agent;
  readonly stack: Stack;
  readonly #open: ReturnType<typeof openRegistries>;

  private constructor(stack: Stack, ca: string) {
    this.stack = stack;
    this.#agent = new Agent({ connect: { ca } });
    this.#open = openRegistries({
      clock: systemClock,
      connectionFor: () => ({ dispatcher: this.#agent }),
      onAnswer: ({ method, status }) => this.sent.push(`${method} ${status}`),
    });
  }

  static async open(): Promise<StackRegistries> {
    const stack = await openStack();
    return new StackRegistries(stack, await readFile(stack.ca, 'utf8'));
  }

  store(configFolder = this.stack.env['DOCKER_CONFIG']): ImageStore {
    return this.#open.withCredentials(dockerConfigFileSource(join(configFolder ?? '', 'config.json')));
  }

  anonymous(): ImageStore {
    return this.#open.withCredentials();
  }

  get readerConfig(): string | undefined {
    return this.stack.env['STACK_DOCKER_CONFIG_READER'];
  }

  fresh(kind: 'registry' | 'registryReferrers'): Repository {
    return parseRepository(`${this.stack[kind]}/contract-${randomUUID()}`);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
