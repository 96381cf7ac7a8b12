import { chainsKeys } from './chains-config-keys.ts';
import { ChainsReading } from './chains-config-reading.ts';

/** Knative puts a commented example under this key into every ConfigMap that it ships. */
export const exampleKey = '_example';

/**
 * Reads the data of Tekton Chains' ConfigMap `chains-config`. No key is passed over in silence: what can't be
 * honoured, what is unknown and what Chains would ignore is among the findings. Where at least one key of Chains is
 * present, the ConfigMap is taken to be in use, and Chains' own defaults stand in for the keys that it leaves out.
 */
export function readChainsConfig(data: Readonly<Record<string, string>>): ChainsReading {
  const reading = new ChainsReading();
  const known = new Map(chainsKeys.map((entry) => [entry.key, entry]));
  for (const [key, value] of Object.entries(data)) {
    const entry = known.get(key);
    if (entry !== undefined) entry.read(key, value, reading);
    else if (key !== exampleKey) reading.ignore(key, unknownKey(key, known));
  }
  if (Object.keys(data).some((key) => known.has(key))) implyDefaults(reading);
  return reading;
}

function unknownKey(key: string, known: ReadonlyMap<string, unknown>): string {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z\d]/g, '');
  const alike = [...known.keys()].find((name) => plain(name) === plain(key));
  return `is no key that Chains knows, so it is ignored${alike === undefined ? '' : `; ${alike} may be meant`}`;
}

// Where Chains' default is another than ours.
const chainsDefaults = [
  {
    key: 'signers.x509.fulcio.enabled',
    path: 'signer.type',
    value: 'key',
    effect: 'the key in signing-secrets signs',
  },
  {
    key: 'transparency.enabled',
    path: 'log.enabled',
    value: false,
    effect: 'nothing goes to the transparency log',
  },
  {
    key: 'artifacts.taskrun.storage',
    path: 'provenance.storage',
    value: ['tekton'],
    effect: 'provenance goes to the run, not to the registry',
  },
] as const;

function implyDefaults(reading: ChainsReading): void {
  const refused = reading.findings.filter(({ verdict }) => verdict === 'refused').map(({ key }) => key);
  const settled = new Set([...reading.names.values(), ...refused]);
  for (const { key, path, value, effect } of chainsDefaults) {
    if (!settled.has(key)) reading.imply(key, path, value, `is not set, so as with Chains ${effect}`);
  }
}
