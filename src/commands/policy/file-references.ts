import { parseTrustRootObject } from '../../policy/trust-root-object.ts';
import type { JudgingOptions } from './judging-session.ts';
import { configMapEntryIn, secretIn } from './policy-files.ts';
import type { PolicyFiles } from './policy-files.ts';

/** What policies refer to, taken from the files that they came in. Throws as `parseTrustRootObject`. */
export function referencesOf(files: PolicyFiles): JudgingOptions['references'] {
  const roots = new Map(
    files.trustRoots.map(({ value }) => {
      const object = parseTrustRootObject(value);
      return [object.name, object] as const;
    }),
  );
  const later = <Value>(find: () => Value): Promise<Value> => Promise.resolve().then(find);
  return {
    findNamedTrustRoot: (name) => roots.get(name),
    findSecret: (name) => later(() => secretIn(files, name)),
    findConfigMapEntry: (name, key) => later(() => configMapEntryIn(files, name, key)),
  };
}
