import { formatTable } from '../wiring/table.ts';
import type { RunPreview } from './run-preview.ts';

/** A preview as text for people: what it is made from, then each payload as JSON. */
export function formatPreview(preview: RunPreview): string {
  const { run, outcome, reason, subjects, materials, problems, artifacts } = preview;
  const sections = [
    `TaskRun ${run}: ${outcome === 'signed' ? 'would be signed, ' : ''}${reason}`,
    section(
      'Subjects (what it built)',
      ['NAME', 'DIGEST', 'FROM'],
      subjects.map(({ name, digest, from, image }) => [
        image ? name : `${name} (no image)`,
        formatDigests(digest),
        from.join(', '),
      ]),
    ),
    section(
      'Materials (what it used)',
      ['URI', 'DIGEST', 'FROM'],
      materials.map(({ name, digest, from }) => [name, formatDigests(digest), from.join(', ')]),
    ),
    section(
      'Problems',
      ['SEVERITY', 'CODE', 'MESSAGE'],
      problems.map(({ severity, code, message }) => [severity, code, message]),
    ),
    ...artifacts.map(({ kind, subject, destinations, payload }) =>
      [
        `${kind} of ${subject}`,
        ...destinations.map((destination) => `  to ${destination}`),
        JSON.stringify(payload, undefined, 2),
      ].join('\n'),
    ),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

function section(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : `${title}\n${formatTable(columns, rows)}`;
}

function formatDigests(digest: Readonly<Record<string, string>>): string {
  return Object.entries(digest)
    .map(([algorithm, hex]) => `${algorithm}:${hex}`)
    .join(' ');
}
