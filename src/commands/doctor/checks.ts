import { chainsCheck } from './checks/chains.ts';
import { clockCheck } from './checks/clock.ts';
import { fulcioCheck } from './checks/fulcio.ts';
import { leasesCheck } from './checks/leases.ts';
import { monitorsCheck } from './checks/monitors.ts';
import { policiesCheck } from './checks/policies.ts';
import { registryCheck } from './checks/registry.ts';
import { rightsCheck } from './checks/rights.ts';
import { runsCheck } from './checks/runs.ts';
import { settingsCheck } from './checks/settings.ts';
import { tokenCheck } from './checks/token.ts';
import { trustRootCheck } from './checks/trust-root.ts';
import { typesCheck } from './checks/types.ts';
import { webhookCheck } from './checks/webhook.ts';
import type { Check } from './examination.ts';

/** All checks: a new one is a file, and a line here. */
export const checks: readonly Check[] = [
  typesCheck,
  rightsCheck,
  settingsCheck,
  tokenCheck,
  fulcioCheck,
  trustRootCheck,
  registryCheck,
  webhookCheck,
  policiesCheck,
  clockCheck,
  leasesCheck,
  monitorsCheck,
  runsCheck,
  chainsCheck,
];
