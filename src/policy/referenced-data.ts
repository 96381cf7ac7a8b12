import { AppError } from '../model/errors.ts';
import { objectIn } from '../model/json-object.ts';
import type { NoMatchPolicy } from './image-judge.ts';

/** A Secret or ConfigMap as far as policies use it; unchecked. */
type DataObject = Readonly<Record<string, unknown>>;

/** The one entry of a Secret, `undefined` being one that is not there. Throws ERR_POLICY_REFERENCE. */
export function entryOfSecret(name: string, secret: DataObject | undefined): string {
  if (secret === undefined) throw unresolved(name, `secret "${name}" not found`);
  const plain = Object.values(objectIn(secret['stringData'])).map(String);
  const encoded = Object.values(objectIn(secret['data'])).map((value) =>
    Buffer.from(String(value), 'base64').toString('utf8'),
  );
  const [entry, another] = [...plain, ...encoded];
  if (entry === undefined) throw unresolved(name, `secret "${name}" contains no data`);
  if (another === undefined) return entry;
  throw unresolved(name, `secret "${name}" contains multiple data entries, only one is supported`);
}

/** An entry of a ConfigMap, `undefined` being one that is not there. Throws ERR_POLICY_REFERENCE. */
export function entryOfConfigMap(name: string, key: string, configMap: DataObject | undefined): string {
  if (configMap === undefined) throw unresolved(name, `configmap "${name}" not found`);
  const data = objectIn(configMap['data']);
  const value = Object.hasOwn(data, key) ? data[key] : undefined;
  if (typeof value === 'string') return value;
  throw unresolved(name, `configmap "${name}" does not contain key ${key}`);
}

/** Name of the ConfigMap with the rules for all policies. */
export const policyRulesName = 'config-policy-controller';

/** `no-match-policy` of the ConfigMap with the rules, and what is odd about it: whatever is not known means deny. */
export function noMatchPolicyOf(configMap: DataObject | undefined): {
  readonly noMatch: NoMatchPolicy;
  readonly notice?: string;
} {
  const key = 'no-match-policy';
  const value = objectIn(configMap?.['data'])[key];
  if (value === 'allow' || value === 'warn' || value === 'deny') return { noMatch: value };
  const why = typeof value === 'string' ? `is "${value.slice(0, 100)}", which is none` : 'is not set';
  return { noMatch: 'deny', notice: `${key} of the ConfigMap ${policyRulesName} ${why}: deny counts` };
}

function unresolved(name: string, why: string): AppError {
  return new AppError('ERR_POLICY_REFERENCE', why, {
    kind: 'permanent',
    object: name,
    remedy: 'Create or correct it, in the namespace of the controller or among the files that are given.',
  });
}
