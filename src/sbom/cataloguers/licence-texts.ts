/** A licence by the sentences that make it, as words in lower case, in their order; between them stand names. */
interface KnownText {
  readonly id: string;
  readonly sentences: readonly [string, ...string[]];
  /** Whole paragraphs stand between them. */
  readonly isLong?: true;
}

const grantFreely =
  'permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files the software to deal in the software without restriction';
const includeNotice = 'shall be included in all copies or substantial portions of the software';
const asIs = 'the software is provided as is without warranty of any kind';
const noLiability = 'in connection with the software or the use or other dealings in the software';
const exceptAsContained = 'except as contained in this notice the name';
const noAdvertising =
  'used in advertising or otherwise to promote the sale use or other dealings in this software';
const grantToSell =
  'permission to use copy modify distribute and sell this software and its documentation for any purpose is hereby granted without fee provided that the above copyright notice appear in all copies and that both that copyright notice and this permission notice appear in supporting documentation';
const grantWithoutFee =
  'permission to use copy modify and distribute this software and its documentation for any purpose and without fee is hereby granted provided that the above copyright notice appear in all copies and that both that copyright notice and this permission notice appear in supporting documentation';
const noPublicity =
  'not be used in advertising or publicity pertaining to distribution of the software without specific';

/** Texts as SPDX's list of licences has them; of several that begin alike the longer stands first. */
const knownTexts: readonly KnownText[] = [
  {
    id: 'X11',
    sentences: [grantFreely, includeNotice, asIs, noLiability, exceptAsContained, noAdvertising],
  },
  { id: 'MIT', sentences: [grantFreely, includeNotice, asIs, noLiability] },
  {
    id: 'MIT-open-group',
    sentences: [grantToSell, includeNotice, asIs, noLiability, `${exceptAsContained} of the open group`],
  },
  { id: 'HPND-sell-variant', sentences: [grantToSell, noPublicity] },
  { id: 'HPND', sentences: [grantWithoutFee, noPublicity] },
  {
    id: 'ISC',
    sentences: [
      'permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that the above copyright notice and this permission notice appear in all copies',
    ],
  },
  {
    id: 'Apache-2.0',
    sentences: [
      'apache license version 2 0 january 2004',
      'terms and conditions for use reproduction and distribution',
      'grant of copyright license subject to the terms and conditions of this license',
      'grant of patent license subject to the terms and conditions of this license',
      'end of terms and conditions',
    ],
    isLong: true,
  },
  {
    id: 'Python-2.0.1',
    sentences: [
      'python software foundation license version 2',
      'beopen python open source license agreement version 1',
      'cnri license agreement for python 1 6 1',
      'cwi license agreement for python 0 9 0 through 1 2',
    ],
    isLong: true,
  },
];

/** Most letters between two sentences of one licence: names of holders; a sentence further away belongs to another. */
const maxGap = 500;
const maxLongGap = 10_000;
const maxOccurrences = 200;
const gnuNotice =
  /\bgnu (?:(lesser|library|affero) )?general public license (?:as published by the free software foundation )?(?:either )?version (\d)(?: (\d))? (?:of the license )?or at your option any later version\b/g;
const gnuFamilies: Readonly<Record<string, string>> = { lesser: 'LGPL', library: 'LGPL', affero: 'AGPL' };

/**
 * The SPDX ids of the licences whose wording stands in a text: those of MIT's, X11's and HPND's kin, ISC, Apache's and
 * Python's, and GNU's notice "or any later version". Punctuation and comment signs do not count.
 */
export function findLicenceTexts(text: string): readonly string[] {
  const words = text
    .toLowerCase()
    .replace(/[^a-z\d]+/g, ' ')
    .trim();
  const found = new Set<string>();
  const taken = new Set<number>();
  for (const known of knownTexts) {
    for (const start of occurrencesOf(known, words)) {
      if (taken.has(start)) continue;
      taken.add(start);
      found.add(known.id);
    }
  }
  for (const [, family = '', major = '', minor = '0'] of words.matchAll(gnuNotice))
    found.add(`${gnuFamilies[family] ?? 'GPL'}-${major}.${minor}-or-later`);
  return [...found].sort();
}

function occurrencesOf({ sentences, isLong }: KnownText, words: string): readonly number[] {
  const [first, ...rest] = sentences;
  const gap = isLong === true ? maxLongGap : maxGap;
  const starts: number[] = [];
  let start = words.indexOf(first);
  for (let count = 0; start >= 0 && count < maxOccurrences; count += 1) {
    if (followsIn(words, start + first.length, rest, gap)) starts.push(start);
    start = words.indexOf(first, start + first.length);
  }
  return starts;
}

function followsIn(words: string, from: number, sentences: readonly string[], gap: number): boolean {
  let at = from;
  return sentences.every((sentence) => {
    const next = words.slice(at, at + gap + sentence.length).indexOf(sentence);
    at += next + sentence.length;
    return next >= 0;
  });
}
