import { harmlessText } from '../../policy/explanation.ts';

/** Text that is markup already: only templates of ours make it. */
export class Markup {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** What a template literal of this program says, its values escaped. */
  static fromTemplate(parts: TemplateStringsArray, values: readonly MarkupValue[]): Markup {
    const escaped = values.map(render);
    return new Markup(parts.map((part, index) => part + (escaped[index] ?? '')).join(''));
  }

  toString(): string {
    return this.#text;
  }
}

/** What a template takes: text and numbers are escaped, markup is taken as it is, undefined is nothing. */
export type MarkupValue = string | number | undefined | Markup | readonly MarkupValue[];

/**
 * Makes markup: whatever is put into it is escaped, for text and for attributes in double quotes alike. Characters that
 * could deceive a reader (controls, changes of writing direction) are shown as `\u202e`.
 *
 *     markup`<td title="${name}">${name}</td>`
 */
export function markup(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  return Markup.fromTemplate(parts, values);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

function render(value: MarkupValue): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.toString();
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escapeText(value);
  return value.map(render).join('');
}

function escapeText(text: string): string {
  return harmlessText(text.toWellFormed()).replaceAll(/[&<>"'`]/g, (character) => entities[character] ?? '');
}
