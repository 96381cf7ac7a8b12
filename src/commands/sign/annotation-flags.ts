import { usageFault } from '../policy/usage-fault.ts';

/** Annotations by name. */
export type Annotations = Readonly<Record<string, string>>;

/** Adds one `-a key=value[,key=value]` to those before it, as cosign reads them. Throws ERR_USAGE_FLAGS. */
export function addAnnotations(given: string, before: Annotations = {}): Annotations {
  const pairs = given.split(',').map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
    throw usageFault(`"${pair.slice(0, 100)}" is no annotation`, 'Write -a NAME=VALUE.');
  });
  return { ...before, ...Object.fromEntries(pairs) };
}
