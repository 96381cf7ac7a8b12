import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { checks } from '../../../src/commands/doctor/checks.ts';
import { findingTable } from '../../../src/commands/doctor/finding-table.ts';

const text = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8');

function rowsOf(heading: string): readonly (readonly string[])[] {
  const [, after = ''] = text.split(heading);
  const [table = ''] = after.split(/\n\n(?!\|)/);
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('\\_', '_')))
    .map(([, name = '', ...cells]) => [name.replaceAll('`', ''), ...cells.slice(0, -1)]);
}

describe('docs/doctor.md', () => {
  it('lists every finding with severity, meaning and remedy as doctor says them', () => {
    const findings = Object.entries(findingTable).map(([id, { severity, meaning, remedy }]) => [
      id,
      ...[severity, meaning, remedy],
    ]);
    expect(rowsOf('# Findings\n\n')).to.deep.equal(findings);
  });

  it('lists every check', () => {
    const rows = rowsOf('leaves the others alone.\n\n');
    expect(rows.map(([name]) => name)).to.deep.equal(checks.map(({ name }) => name));
  });
});
