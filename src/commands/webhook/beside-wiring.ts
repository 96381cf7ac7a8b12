import { runExceptions } from './exceptions-wiring.ts';
import { runScan } from './scan-wiring.ts';
import type { ScanWiring } from './scan-wiring.ts';
import type { WebhookWiring } from './webhook-wiring.ts';

/** Does what the door can do without, until `signal` aborts: exceptions are followed, and what runs is judged again. */
export async function runBeside(
  wiring: WebhookWiring,
  parts: ScanWiring,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await Promise.all([runExceptions(wiring, parts, options), runScan(wiring, parts, options)]);
}
