import * as SPDX from '@cyclonedx/cyclonedx-library/SPDX';

/** A declared licence as a BOM can say it. */
export type Licence =
  | { readonly kind: 'id'; readonly text: string }
  | { readonly kind: 'expression'; readonly text: string }
  | { readonly kind: 'name'; readonly text: string }
  /** Names without an SPDX id only, as an expression of `LicenseRef-`; `declared` where those do not tell them word for word. */
  | { readonly kind: 'reference'; readonly text: string; readonly declared?: string };

/** Spellings in common use, lower case without punctuation, and the SPDX id that each certainly means. */
const spellings: Readonly<Record<string, string>> = {
  'apache 2': 'Apache-2.0',
  'apache 2 0': 'Apache-2.0',
  'apache license 2 0': 'Apache-2.0',
  'apache license version 2 0': 'Apache-2.0',
  'apache license 2': 'Apache-2.0',
  'apache software license version 2 0': 'Apache-2.0',
  'apache software license 2 0': 'Apache-2.0',
  'the apache license version 2 0': 'Apache-2.0',
  'the apache software license version 2 0': 'Apache-2.0',
  'asl 2 0': 'Apache-2.0',
  'mit license': 'MIT',
  'the mit license': 'MIT',
  'the mit license mit': 'MIT',
  'mit license mit': 'MIT',
  expat: 'MIT',
  'isc license': 'ISC',
  'isc license iscl': 'ISC',
  'bsd 2 clause license': 'BSD-2-Clause',
  'bsd 2 clause': 'BSD-2-Clause',
  'simplified bsd license': 'BSD-2-Clause',
  'bsd 3 clause license': 'BSD-3-Clause',
  'bsd 3 clause': 'BSD-3-Clause',
  'new bsd license': 'BSD-3-Clause',
  'modified bsd license': 'BSD-3-Clause',
  'mozilla public license 2 0': 'MPL-2.0',
  'mozilla public license 2 0 mpl 2 0': 'MPL-2.0',
  'mozilla public license version 2 0': 'MPL-2.0',
  mplv2: 'MPL-2.0',
  'mplv2 0': 'MPL-2.0',
  'mplv1 1': 'MPL-1.1',
  gplv2: 'GPL-2.0-only',
  gplv3: 'GPL-3.0-only',
  'gplv2+': 'GPL-2.0-or-later',
  'gplv3+': 'GPL-3.0-or-later',
  'gpl+': 'GPL-1.0-or-later',
  lgplv2: 'LGPL-2.0-only',
  'lgplv2 1': 'LGPL-2.1-only',
  lgplv3: 'LGPL-3.0-only',
  'lgplv2+': 'LGPL-2.0-or-later',
  'lgplv2 1+': 'LGPL-2.1-or-later',
  'lgplv3+': 'LGPL-3.0-or-later',
  agplv3: 'AGPL-3.0-only',
  'agplv3+': 'AGPL-3.0-or-later',
  'eclipse public license v 1 0': 'EPL-1.0',
  'eclipse public license 1 0': 'EPL-1.0',
  'eclipse public license v 2 0': 'EPL-2.0',
  'eclipse public license 2 0': 'EPL-2.0',
  'cddl license': 'CDDL-1.0',
  'python software foundation license': 'PSF-2.0',
  'the unlicense unlicense': 'Unlicense',
  openldap: 'OLDAP-2.8',
  boost: 'BSL-1.0',
  '3 clause bsd license': 'BSD-3-Clause',
  '2 clause bsd license': 'BSD-2-Clause',
  // Addresses, as manifests of bundles have them.
  'apache org licenses license 2 0': 'Apache-2.0',
  'opensource org licenses apache 2 0': 'Apache-2.0',
  'opensource org licenses mit': 'MIT',
  'opensource org licenses mit license': 'MIT',
  'opensource org licenses bsd 2 clause': 'BSD-2-Clause',
  'opensource org licenses bsd 3 clause': 'BSD-3-Clause',
  'eclipse org legal epl v10': 'EPL-1.0',
  'eclipse org legal epl 2 0': 'EPL-2.0',
  'eclipse org legal epl v20': 'EPL-2.0',
  'eclipse org org documents edl v10': 'BSD-3-Clause',
  'mozilla org mpl 2 0': 'MPL-2.0',
  'creativecommons org publicdomain zero 1 0': 'CC0-1.0',
};
const maxLength = 500;
const maxReferenceLength = 80;
const token = /\s*([()]|[^\s()]+)/y;

/** A licence in any declared spelling: as SPDX id or expression where that is certain, else as the name it has. */
export function toLicence(declared: string): Licence | undefined {
  const text = declared.replace(/\s+/g, ' ').trim();
  if (text === '') return undefined;
  if (text.length > maxLength) return { kind: 'name', text: `${text.slice(0, maxLength)}...` };
  const id = findSpdxId(text);
  if (id !== undefined) return { kind: 'id', text: id };
  const expression = parseExpression(text);
  return expression === undefined ? { kind: 'name', text } : { kind: 'expression', text: expression };
}

/**
 * Licences of one component in a form that CycloneDX 1.6 takes: one expression alone, or a list without expressions.
 * Several with an expression among them are joined by AND, since each applies to a part. Names without an SPDX id
 * become `LicenseRef-` there, and where there are no others: readers that know SPDX only can then tell
 * them apart at least.
 */
export function toLicences(declared: readonly string[]): readonly Licence[] {
  const all = declared.flatMap((text) => toLicence(text) ?? []);
  const unique = [...new Map(all.map((licence) => [licence.text, licence])).values()];
  if (unique.length > 0 && unique.every(({ kind }) => kind === 'name')) return [referTo(unique)];
  if (unique.length < 2 || unique.every(({ kind }) => kind !== 'expression')) return unique;
  const parts = unique.map(({ kind, text }) => {
    if (kind === 'name') return referenceOf(text);
    return kind === 'expression' ? `(${text})` : text;
  });
  return [{ kind: 'expression', text: parts.sort().join(' AND ') }];
}

function referTo(names: readonly Licence[]): Licence {
  const texts = names.map(({ text }) => text);
  const isToldByReference = texts.every((text) => referenceOf(text) === `LicenseRef-${text}`);
  return {
    kind: 'reference',
    text: texts.map(referenceOf).sort().join(' AND '),
    ...(isToldByReference ? {} : { declared: texts.join('; ') }),
  };
}

/** Letters, digits, dots and hyphens are what a `LicenseRef-` may hold (SPDX specification, annex D). */
function referenceOf(name: string): string {
  const words = name.replace(/[^a-z\d.]+/gi, '-').replace(/^-+|-+$/g, '');
  return `LicenseRef-${words.slice(0, maxReferenceLength) || 'unnamed'}`;
}

function findSpdxId(text: string): string | undefined {
  const spelled =
    spellings[
      text
        .toLowerCase()
        .replace(/^https?:\/\/(?:www\.)?|\.(?:txt|html?|php)$|\/$/g, '')
        .replace(/[\s.,()/_-]+/g, ' ')
        .trim()
    ];
  return spelled ?? SPDX.fixupSpdxId(text);
}

/** An SPDX expression (SPDX specification, annex D) with its ids in their right spelling; undefined if it is none. */
function parseExpression(text: string): string | undefined {
  const tokens: string[] = [];
  token.lastIndex = 0;
  for (let match = token.exec(text); match?.[1] !== undefined; match = token.exec(text))
    tokens.push(match[1]);
  const parser = new ExpressionParser(tokens);
  const expression = parser.parse();
  return parser.isDone ? expression : undefined;
}

/** Recursive descent over OR, AND, WITH and parentheses; what it accepts it writes anew. */
class ExpressionParser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get isDone(): boolean {
    return this.#at === this.#tokens.length;
  }

  parse(): string | undefined {
    return this.#joined('OR', () => this.#joined('AND', () => this.#operand()));
  }

  #joined(operator: string, operand: () => string | undefined): string | undefined {
    let left = operand();
    while (left !== undefined && this.#accept(operator)) {
      const right = operand();
      left = right === undefined ? undefined : `${left} ${operator} ${right}`;
    }
    return left;
  }

  #operand(): string | undefined {
    if (this.#accept('(')) {
      const inner = this.parse();
      return inner !== undefined && this.#accept(')') ? `(${inner})` : undefined;
    }
    const id = this.#id();
    if (id === undefined || !this.#accept('WITH')) return id;
    const exception = this.#id();
    return exception === undefined ? undefined : `${id} WITH ${exception}`;
  }

  #id(): string | undefined {
    const text = this.#tokens[this.#at];
    if (text === undefined) return undefined;
    this.#at += 1;
    if (/^(?:DocumentRef-[\w.-]+:)?LicenseRef-[\w.-]+$/.test(text)) return text;
    const plus = text.endsWith('+');
    const known = findSpdxId(text) ?? (plus ? SPDX.fixupSpdxId(text.slice(0, -1)) : undefined);
    if (known === undefined) return undefined;
    return plus && !known.endsWith('-or-later') && !known.endsWith('+') ? `${known}+` : known;
  }

  #accept(word: string): boolean {
    if (this.#tokens[this.#at]?.toUpperCase() !== word) return false;
    this.#at += 1;
    return true;
  }
}
