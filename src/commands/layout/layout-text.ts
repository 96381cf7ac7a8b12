import type { VerifiedLayout } from '../../policy/layout/layout-verification.ts';
import type { Artifacts } from '../../statements/link.ts';
import { formatTable } from '../wiring/table.ts';

/** A layout that holds, in a form for people and programs. */
export interface PrintedLayout {
  readonly verified: true;
  /** RFC 3339. */
  readonly expires: string;
  readonly steps: VerifiedLayout['steps'];
  readonly inspections: readonly string[];
  /** Of the first step, by name. */
  readonly materials: Readonly<Record<string, object>>;
  /** Of the last step. */
  readonly products: Readonly<Record<string, object>>;
}

/** Brings what was verified into the form that is printed. */
export function toPrinted({ expires, steps, inspections, summary }: VerifiedLayout): PrintedLayout {
  return {
    verified: true,
    expires: expires.toISOString(),
    steps,
    inspections,
    materials: objectOf(summary.materials),
    products: objectOf(summary.products),
  };
}

/** The same as a table. */
export function formatLayout({ steps, products }: PrintedLayout): string {
  const rows = steps.flatMap(({ step, functionaries }) =>
    functionaries.map(({ functionary, source }) => [step, functionary, source]),
  );
  const made = Object.keys(products).map((name) => `  ${name}`);
  return `${formatTable(['STEP', 'FUNCTIONARY', 'EVIDENCE'], rows)}\nproducts of the last step:\n${made.join('\n')}\n`;
}

function objectOf(artifacts: Artifacts): Readonly<Record<string, object>> {
  return Object.fromEntries(artifacts);
}
