import { readFile, readdir } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';

const root = new URL('../../../', import.meta.url);
const rightFolders = ['base', 'webhook', 'monitor', 'kyverno'];

/** The CustomResourceDefinitions of this release. */
export async function readReleasedTypes(): Promise<readonly unknown[]> {
  const folder = new URL('crds/', root);
  const names = (await readdir(folder)).filter((name) => /^[a-z].*\.yaml$/.test(name));
  return (await Promise.all(names.map((name) => readDocuments(new URL(name, folder))))).flat();
}

/** Roles and bindings of this release. */
export async function readReleasedRights(): Promise<readonly unknown[]> {
  const files = rightFolders.map((folder) => new URL(`config/${folder}/rbac.yaml`, root));
  return (await Promise.all(files.map(readDocuments))).flat();
}

async function readDocuments(file: URL): Promise<readonly unknown[]> {
  const documents = parseAllDocuments(await readFile(file, 'utf8'));
  return documents.map((document) => document.toJS() as unknown).filter((object) => object !== null);
}
