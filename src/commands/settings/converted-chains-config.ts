import { stringify } from 'yaml';
import { readChainsConfig } from '../../settings/chains-config.ts';
import { apiVersion } from '../../settings/settings-object.ts';

/** A `chains-config` as an object of ours. */
export interface ConvertedChainsConfig {
  readonly object: Readonly<Record<string, unknown>>;
  /** What is not in the object, or not as the key says: a line for each. */
  readonly remarks: readonly string[];
  /** Keys whose value can't be honoured: without a decision of yours the object signs something else. */
  readonly refused: readonly string[];
}

/**
 * The ChainwrightConfig that says what `data` of a `chains-config` says, Chains' own defaults included. Chains has nothing per
 * namespace, so there are no SigningPolicies to it. Pure.
 */
export function convertChainsConfig(data: Readonly<Record<string, string>>): ConvertedChainsConfig {
  const { input, findings } = readChainsConfig(data);
  return {
    object: { apiVersion, kind: 'ChainwrightConfig', metadata: { name: 'default' }, spec: input },
    remarks: findings.map(({ key, verdict, path, message }) =>
      verdict === 'refused' ? `${key}: ${message}; decide ${path ?? 'it'} yourself` : `${key}: ${message}`,
    ),
    refused: findings.filter(({ verdict }) => verdict === 'refused').map(({ key }) => key),
  };
}

/** The object as YAML, with the remarks as comments before it. */
export function formatConverted({ object, remarks }: ConvertedChainsConfig): string {
  const comments = remarks.map((remark) => `# ${remark.replaceAll(/\s+/g, ' ')}\n`).join('');
  return comments + stringify(object, { lineWidth: 0, version: '1.1' });
}
