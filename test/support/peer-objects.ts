import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

interface Manifest {
  readonly kind?: string;
  readonly metadata: { readonly name: string };
}

/** The ConfigMaps in a folder of released manifests, but for those named, moved to another namespace. */
export async function readConfigMaps(
  folder: string,
  namespace: string,
  except: readonly string[] = [],
): Promise<readonly object[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest | null))
    .filter((object) => object !== null)
    .filter(({ kind, metadata }) => kind === 'ConfigMap' && !except.includes(metadata.name))
    .map((object) => ({ ...object, metadata: { ...object.metadata, namespace } }));
}

/** Makes the ServiceAccount `default` of a peer's own namespace an administrator; named as the namespace is. */
export function administratorBinding(namespace: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
  };
}
