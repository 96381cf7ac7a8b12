import type { ExceptionRegister } from '../../policy/exception-register.ts';
import type { PolicyRegister } from '../../policy/policy-register.ts';
import { ExceptionFollower } from '../../reconcilers/exception-follower.ts';
import { runLive } from './live-part.ts';
import type { WebhookWiring } from './webhook-wiring.ts';

/** What following exceptions needs besides. */
export interface ExceptionsWiring {
  readonly register: PolicyRegister;
  readonly exceptions: ExceptionRegister;
}

/** Follows ImagePolicyExceptions, if the settings allow any, until `signal` aborts; without it nothing is excused. */
export async function runExceptions(
  { live, events, client, clock, log }: WebhookWiring,
  { register: policies, exceptions: register }: ExceptionsWiring,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const part = {
    ...{ name: 'exceptions', live, log },
    pick: (settings: WebhookWiring['settings']) => settings.exceptions,
    run: async (rules: WebhookWiring['settings']['exceptions'], running: typeof options): Promise<void> => {
      if (!rules.enabled) return;
      await new ExceptionFollower({ client, rules, register, policies, events, clock, log }).run(running);
    },
  };
  await runLive(part, options);
}
