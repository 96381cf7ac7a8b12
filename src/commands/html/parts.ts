import { markup } from './markup.ts';
import type { Markup, MarkupValue } from './markup.ts';

/** How good something is. */
export type Tone = 'good' | 'warn' | 'bad' | 'plain';

/** A word with a colour; the word alone says it all. */
export function tag(tone: Tone, word: string): Markup {
  return markup`<span class="tag ${tone}">${word}</span>`;
}

/** Figures in a row; a tone counts where the figure is not 0. */
export function figures(list: readonly (readonly [label: string, value: number, tone?: Tone])[]): Markup {
  const boxes = list.map(([label, value, tone = 'plain']) => {
    return markup`<div class="${value === 0 ? 'plain' : tone}"><dt>${label}</dt><dd>${value}</dd></div>`;
  });
  return markup`<dl class="figures">${boxes}</dl>`;
}

/** An instant, RFC 3339; other text as it is. */
export function moment(text: string): Markup {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return markup`${text}`;
  return markup`<time datetime="${at.toISOString()}">${formatTime(at)}</time>`;
}

/** An instant for people: `2026-03-04 05:06 UTC`. */
function formatTime(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Names and what they are; those without value are left out. */
export function facts(list: readonly (readonly [name: MarkupValue, value: MarkupValue])[]): Markup {
  const known = list.filter(([, value]) => value !== undefined && value !== '');
  return markup`<dl class="facts">${known.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** A table whose first cells are its rows' headings. */
export function table(
  caption: MarkupValue,
  columns: readonly Column[],
  rows: readonly (readonly MarkupValue[])[],
): Markup {
  const heads = columns.map(({ title }) => markup`<th scope="col">${title}</th>`);
  return markup`<div class="table" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${heads}</tr></thead>
<tbody>
${rows.map((row) => tableRow(columns, row))}
</tbody></table></div>`;
}

function tableRow(columns: readonly Column[], row: readonly MarkupValue[]): Markup {
  const [first, ...rest] = row;
  const cells = rest.map((cell, index) => {
    const { title = '', isNumber = false } = columns[index + 1] ?? {};
    return markup`<td class="${isNumber ? 'number' : 'text'}" data-label="${title}">${cell}</td>`;
  });
  return markup`<tr><th scope="row">${first}</th>${cells}</tr>
`;
}

/** Text in the typeface of programs. */
export function code(text: string): Markup {
  return markup`<code>${text}</code>`;
}

/** Lines under each other; nothing if there are none. */
export function bullets(items: readonly MarkupValue[]): Markup {
  if (items.length === 0) return markup``;
  return markup`<ul>${items.map((item) => markup`<li>${item}</li>`)}</ul>`;
}
