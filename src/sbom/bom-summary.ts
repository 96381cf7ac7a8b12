import type { BomDocument } from './bom-document.ts';

/** One component as a table shows it. */
export interface BomRow {
  /** Type of the purl (`deb`, `npm` ...), or of the component where it has none. */
  readonly type: string;
  readonly name: string;
  readonly version: string;
  /** SPDX expressions and names, joined. */
  readonly licences: string;
  /** Where it was found first. */
  readonly path: string;
}

/** What people want to know of a BOM at a glance. */
export interface BomSummary {
  /** Components by the type of their rows. */
  readonly counts: Readonly<Record<string, number>>;
  readonly rows: readonly BomRow[];
}

/** Sums up a BOM that this room wrote. */
export function summariseBom(document: BomDocument): BomSummary {
  const counts: Record<string, number> = {};
  const rows = (document.components ?? []).map((component): BomRow => {
    const purl = textOf(component['purl']);
    const isPackage = purl !== '' && component['type'] !== 'operating-system';
    const type = isPackage ? purl.slice(4, purl.indexOf('/')) : textOf(component['type']);
    counts[type] = (counts[type] ?? 0) + 1;
    const group = textOf(component['group']);
    return {
      type,
      name: group === '' ? textOf(component['name']) : `${group}/${textOf(component['name'])}`,
      version: textOf(component['version']),
      licences: licencesOf(component['licenses']),
      path: pathOf(component['evidence']),
    };
  });
  return { counts, rows };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function licencesOf(value: unknown): string {
  const items = (value ?? []) as readonly {
    readonly expression?: string;
    readonly license?: { readonly id?: string; readonly name?: string };
  }[];
  return items.map(({ expression, license }) => expression ?? license?.id ?? license?.name ?? '').join(', ');
}

function pathOf(value: unknown): string {
  const evidence = value as { readonly occurrences?: readonly { readonly location: string }[] } | undefined;
  return evidence?.occurrences?.[0]?.location ?? '';
}
