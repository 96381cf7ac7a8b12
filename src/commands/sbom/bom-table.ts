import type { GeneratedBom } from '../../sbom/generate-bom.ts';
import { formatTable } from '../wiring/table.ts';

const columns = ['TYPE', 'NAME', 'VERSION', 'LICENCES', 'FOUND IN'];
const maxLicenceLength = 40;

/** A BOM for people: what there is of each type, a line for each component, and what could not be read. */
export function formatBomTable({ counts, rows, gaps, distro }: GeneratedBom, image: string): string {
  const total = rows.length === 1 ? '1 component' : `${rows.length} components`;
  const parts = Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, count]) => `${count} ${type}`);
  const system = distro === undefined ? '' : ` on ${distro.qualifier}`;
  const sorted = rows.toSorted((a, b) => order(a.type, b.type) || order(a.name, b.name));
  const sections = [
    `${image}${system}: ${[total, ...parts].join(', ')}`,
    formatTable(
      columns,
      sorted.map(({ type, name, version, licences, path }) => [type, name, version, cut(licences), path]),
    ),
    ...(gaps.length === 0
      ? []
      : [
          `NOT READ (the list may be incomplete)\n${formatTable(
            ['CATALOGUER', 'FILE', 'WHY'],
            gaps.map(({ cataloguer, path, reason }) => [cataloguer, path, reason]),
          )}`,
        ]),
  ];
  return `${sections.join('\n\n')}\n`;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function cut(text: string): string {
  return text.length > maxLicenceLength ? `${text.slice(0, maxLicenceLength - 1)}…` : text;
}
