import { isRecord } from '../../kube/kube-object.ts';
import { AppError, messageOf } from '../../model/errors.ts';
import { readYamlDocument } from '../../settings/yaml-document.ts';

/**
 * `data` of a ConfigMap in YAML or JSON, or of a plain map of keys. Throws ERR_USAGE_CHAINS_CONFIG; `file` is named in the
 * message.
 */
export function parseChainsConfig(text: string, file: string): Readonly<Record<string, string>> {
  const document = readDocument(text, file);
  const data = isRecord(document) && document['kind'] === 'ConfigMap' ? (document['data'] ?? {}) : document;
  if (!isRecord(data)) throw refuse(file, 'it holds no map of keys');
  const strange = Object.entries(data).find(
    ([, value]) => !['string', 'boolean', 'number'].includes(typeof value),
  );
  if (strange !== undefined) throw refuse(file, `the value of ${strange[0]} is no text`);
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(value)]));
}

function readDocument(text: string, file: string): unknown {
  try {
    return readYamlDocument(text);
  } catch (error) {
    throw refuse(file, messageOf(error), error);
  }
}

function refuse(file: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_USAGE_CHAINS_CONFIG', `${file} is no chains-config: ${why}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Give the ConfigMap as kubectl get configmap chains-config -o yaml prints it.',
    cause,
  });
}
