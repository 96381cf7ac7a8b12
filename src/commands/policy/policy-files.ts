import { AppError } from '../../model/errors.ts';
import { objectIn } from '../../model/json-object.ts';
import type { NoMatchPolicy } from '../../policy/image-judge.ts';
import {
  entryOfConfigMap,
  entryOfSecret,
  noMatchPolicyOf,
  policyRulesName,
} from '../../policy/referenced-data.ts';
import { isWorkload } from '../../policy/workload-images.ts';
import { readInput } from '../wiring/input-file.ts';
import { readObjects } from '../wiring/task-run-documents.ts';
import type { FoundObject } from '../wiring/task-run-documents.ts';

/** An object of a file. */
export interface FileObject {
  readonly file: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** What files with policies hold, by kind; unchecked. */
export interface PolicyFiles {
  readonly policies: readonly FileObject[];
  readonly trustRoots: readonly FileObject[];
  readonly workloads: readonly FileObject[];
  readonly secrets: readonly FileObject[];
  readonly configMaps: readonly FileObject[];
}

const policyGroup = 'policy.sigstore.dev/';

/**
 * Reads files, `-` being standard input. Throws ERR_USAGE_FILE, ERR_USAGE_POLICY (no YAML or JSON; no policy, unless
 * `needsPolicy` is false).
 */
export async function readPolicyFiles(
  names: readonly string[],
  options: { readonly signal: AbortSignal; readonly needsPolicy?: boolean },
): Promise<PolicyFiles> {
  const found = await Promise.all(
    names.map(async (name) => {
      const file = name === '-' ? 'standard input' : name;
      const objects = readObjects(await readInput(name, options), file, policyFileFault);
      return objects.map((object) => ({ ...object, file }));
    }),
  );
  const objects = found.flat();
  const ofKind = (isWanted: (object: FoundObject) => boolean): readonly FileObject[] =>
    objects.filter(isWanted).map(({ file, value }) => ({ file, value }));
  const policies = ofKind(isOfGroup('ClusterImagePolicy'));
  if (policies.length === 0 && options.needsPolicy !== false)
    throw policyFileFault(names.join(', '), 'holds no ClusterImagePolicy');
  return {
    policies,
    trustRoots: ofKind(isOfGroup('TrustRoot')),
    workloads: ofKind(({ kind }) => isWorkload(kind)),
    secrets: ofKind(({ kind }) => kind === 'Secret'),
    configMaps: ofKind(({ kind }) => kind === 'ConfigMap'),
  };
}

/** Another group has a kind of the same name. */
function isOfGroup(wanted: string): (object: FoundObject) => boolean {
  return ({ kind, value }) => kind === wanted && String(value['apiVersion']).startsWith(policyGroup);
}

/** The one entry of a Secret in the files. Throws ERR_POLICY_REFERENCE. */
export function secretIn({ secrets }: PolicyFiles, name: string): string {
  return entryOfSecret(name, named(secrets, name));
}

/** An entry of a ConfigMap in the files. Throws ERR_POLICY_REFERENCE. */
export function configMapEntryIn({ configMaps }: PolicyFiles, name: string, key: string): string {
  return entryOfConfigMap(name, key, named(configMaps, name));
}

/** `no-match-policy` of the ConfigMap `config-policy-controller`, if it is among the files; else deny. */
export function noMatchPolicyIn({ configMaps }: PolicyFiles): NoMatchPolicy {
  return noMatchPolicyOf(named(configMaps, policyRulesName)).noMatch;
}

function named(objects: readonly FileObject[], name: string): FileObject['value'] | undefined {
  return objects.find(({ value }) => objectIn(value['metadata'])['name'] === name)?.value;
}

function policyFileFault(file: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_USAGE_POLICY', `${file} ${why}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Give ClusterImagePolicy objects of policy.sigstore.dev as YAML or JSON.',
    ...(cause === undefined ? {} : { cause }),
  });
}
