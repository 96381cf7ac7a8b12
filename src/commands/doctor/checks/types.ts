import { findObject } from '../../../kube/find-object.ts';
import { isRecord } from '../../../kube/kube-object.ts';
import { findCondition } from '../../../kube/conditions.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { fieldOf, recordsIn, textOf } from '../cluster-objects.ts';
import type { Check } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';
import { readReleasedTypes } from '../released-manifests.ts';

const maxNamed = 5;

/** The types that we read and write: there, served, and with all fields of this release. */
export const typesCheck: Check = {
  name: 'types',
  needs: 'cluster',
  look: async (parts) => {
    const released = await readReleasedTypes();
    const found = await Promise.all(
      released.map(async (type) => {
        const name = textOf(fieldOf(type, 'metadata', 'name'));
        const present = await findObject(
          parts.client,
          resourceTypes.customResourceDefinitions,
          { name },
          parts,
        );
        const object = `CustomResourceDefinition ${name}`;
        if (present === undefined)
          return [{ id: 'crd-missing', object, message: 'it is not there' } as const];
        const established = findCondition(present, 'Established');
        return recordsIn(fieldOf(type, 'spec', 'versions')).flatMap((version) =>
          compareVersion(object, version, { present, isEstablished: established?.status === 'True' }),
        );
      }),
    );
    return found.flat();
  },
};

function compareVersion(
  object: string,
  wanted: Readonly<Record<string, unknown>>,
  { present, isEstablished }: { readonly present: unknown; readonly isEstablished: boolean },
): readonly Discovery[] {
  const name = textOf(wanted['name']);
  const version = recordsIn(fieldOf(present, 'spec', 'versions')).find((one) => one['name'] === name);
  if (version?.['served'] !== true || !isEstablished) {
    return [{ id: 'crd-not-served', object, message: `its version ${name} is not served` }];
  }
  const missing = missingFields(
    fieldOf(wanted, 'schema', 'openAPIV3Schema'),
    fieldOf(version, 'schema', 'openAPIV3Schema'),
  );
  if (missing.length === 0) return [];
  const more = missing.length > maxNamed ? ` and ${missing.length - maxNamed} more` : '';
  const named = missing.slice(0, maxNamed).join(', ');
  return [{ id: 'crd-outdated', object, message: `its version ${name} lacks ${named}${more}` }];
}

/** Paths of the fields that a schema has and another one lacks. */
export function missingFields(wanted: unknown, present: unknown, path = ''): readonly string[] {
  if (fieldOf(present, 'x-kubernetes-preserve-unknown-fields') === true) return [];
  const properties = fieldOf(wanted, 'properties');
  const own = isRecord(properties) ? Object.entries(properties) : [];
  const items = fieldOf(wanted, 'items');
  const ofItems = items === undefined ? [] : missingFields(items, fieldOf(present, 'items'), `${path}[]`);
  return [
    ...own.flatMap(([name, schema]) => {
      const there = fieldOf(present, 'properties', name);
      const place = path === '' ? name : `${path}.${name}`;
      return there === undefined ? [place] : missingFields(schema, there, place);
    }),
    ...ofItems,
  ];
}
