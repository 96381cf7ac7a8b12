import type { CompiledClusterPolicy } from '../compiled-policy.ts';

/** A name for a policy that is made from no ClusterImagePolicy: one that neither such a policy nor anybody else's has. */
export function freeName(
  name: string,
  policies: readonly CompiledClusterPolicy[],
  foreign: ReadonlySet<string>,
): string {
  const taken = new Set([...foreign, ...policies.map((policy) => policy.name)]);
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}-${number}`;
  return free;
}
