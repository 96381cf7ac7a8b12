import { spawn } from 'node:child_process';
import { readEnvironment } from '../stack/environment.ts';
import type { StackEnvironment } from '../stack/environment.ts';
import { hasNode } from '../stack/node/index.ts';
import type { Tally } from './suites.ts';

/** How the stack is brought up. */
export interface StackOptions {
  /** With a node, and Tekton on it. */
  readonly node?: boolean;
}

/**
 * Runs `work` on the local stack, with the variables of its `.stack/env`. A stack that was down is brought up first
 * and taken down afterwards; one that was up stays up. That it comes up counts as a test of its own.
 */
export async function withStack(
  tallies: Tally[],
  work: (environment: StackEnvironment) => Promise<void>,
  { node = false }: StackOptions = {},
): Promise<void> {
  const started = performance.now();
  if (!node && (await hasNode())) {
    console.error(
      'the stack has a node, whose controllers change what these tests see: make stack-down first',
    );
    tallies.push({ name: 'stack', passed: 0, failed: 1, seconds: 0 });
    return;
  }
  const wasUp = (await script('status')) === 0;
  const isUp = (await script('up', node ? ['--node'] : [])) === 0;
  const seconds = (performance.now() - started) / 1000;
  tallies.push({ name: 'stack', passed: isUp ? 1 : 0, failed: isUp ? 0 : 1, seconds });
  if (!isUp) return;
  try {
    await work(await readEnvironment());
  } finally {
    if (!wasUp) await script('down');
  }
}

async function script(name: 'up' | 'down' | 'status', args: readonly string[] = []): Promise<number | null> {
  const quiet = name === 'status';
  const child = spawn('node', [`hack/stack/${name}.ts`, ...args], { stdio: quiet ? 'ignore' : 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
}
