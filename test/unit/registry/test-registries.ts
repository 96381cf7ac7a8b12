import { Agent } from 'undici';
import { openRegistries } from '../../../src/registry/distribution-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import type { Clock } from '../../../src/model/clock.ts';
import type { Credentials } from '../../../src/registry/credentials.ts';
import type { Registries, RegistriesOptions } from '../../../src/registry/distribution-store.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';

/** One process's way to the registries, with connections of its own. */
export class TestRegistries {
  readonly agent = new Agent();
  readonly registries: Registries;

  constructor(clock: Clock = systemClock, options: Partial<RegistriesOptions> = {}) {
    const connectionFor = () => ({ dispatcher: this.agent });
    this.registries = openRegistries({ clock, connectionFor, ...options });
  }

  /** A store with these credentials, in this order. */
  store(...credentials: Credentials[]): ImageStore {
    return this.registries.withCredentials({ find: () => Promise.resolve(credentials) });
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }
}
