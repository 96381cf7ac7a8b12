import { readFile, writeFile } from 'node:fs/promises';

const page = new URL('../../../docs/commands.md', import.meta.url);
const [begin, end] = ['<!-- runbook lines: begin -->', '<!-- runbook lines: end -->'];

/** A line of the runbook, ours for it, and what both were seen to do on the same objects. */
export interface RunbookRow {
  readonly line: string;
  readonly ours: string;
  readonly itsTool: string;
  readonly oursDoes: string;
}

const heads = ['line of the runbook', 'ours', 'what its tool does', 'what ours does'];

/** The table in docs/commands.md, made of the rows whose tests have passed. */
export class RunbookTable {
  readonly #rows = new Map<number, RunbookRow>();

  /** Notes that both lines did what the row says; `place` is that of the line in the runbook. */
  record(place: number, row: RunbookRow): void {
    this.#rows.set(place, row);
  }

  /** The table as the page must have it. */
  render(): string {
    const rows = [...this.#rows].sort(([a], [b]) => a - b);
    const cells = rows.map(([, { line, ours, itsTool, oursDoes }]) => [line, ours, itsTool, oursDoes]);
    const widths = heads.map((head, column) =>
      Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)),
    );
    const lineOf = (row: readonly string[], fill = ' '): string =>
      `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |`;
    const rule = lineOf(
      heads.map(() => '-'),
      '-',
    );
    return [lineOf(heads), rule, ...cells.map((row) => lineOf(row))].join('\n');
  }

  /** The table that the page has; with CHAINWRIGHT_WRITE_DOCS=1 this one is written there first. */
  async documented(): Promise<string> {
    const text = await readFile(page, 'utf8');
    const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
    if (process.env['CHAINWRIGHT_WRITE_DOCS'] !== '1') return text.slice(from, to).trim();
    await writeFile(page, `${text.slice(0, from)}\n\n${this.render()}\n\n${text.slice(to)}`);
    return this.render();
  }
}
