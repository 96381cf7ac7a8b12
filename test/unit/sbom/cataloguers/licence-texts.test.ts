import { expect } from 'chai';
import fc from 'fast-check';
import { findLicenceTexts } from '../../../../src/sbom/cataloguers/licence-texts.ts';

const mit = `Copyright 2005 Adam Jackson.

 * Permission is hereby granted, free of charge, to any person obtaining
 * a copy of this software and associated documentation files (the
 * "Software"), to deal in the Software without restriction, including
 * without limitation on the rights to use, copy, modify, merge,
 * publish, distribute, sub license, and/or sell copies of the Software,
 * and to permit persons to whom the Software is furnished to do so,
 * subject to the following conditions:
 *
 * The above copyright notice and this permission notice (including the
 * next paragraph) shall be included in all copies or substantial
 * portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND,
 * EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
 * MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NON-INFRINGEMENT.  IN NO EVENT SHALL ADAM JACKSON BE LIABLE FOR ANY
 * CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT,
 * TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
 * SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;
const x11 = `${mit}
Except as contained in this notice, the names of the authors or their institutions shall not be used in advertising or
otherwise to promote the sale, use or other dealings in this Software without prior written authorization from the authors.
`;
const toSell = `Permission to use, copy, modify, distribute, and sell this software and its
documentation for any purpose is hereby granted without fee, provided that
the above copyright notice appear in all copies and that both that
copyright notice and this permission notice appear in supporting
documentation`;
const fontconfig = `Copyright © 2001,2003 Keith Packard

${toSell}, and that the name of Keith Packard not be used in
advertising or publicity pertaining to distribution of the software without
specific, written prior permission.  Keith Packard makes no
representations about the suitability of this software for any purpose.  It
is provided "as is" without express or implied warranty.
`;
const openGroup = `Copyright 1988, 1998  The Open Group

${toSell}.

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.  IN NO EVENT SHALL THE
OPEN GROUP BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN
AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

Except as contained in this notice, the name of The Open Group shall not be
used in advertising or otherwise to promote the sale, use or other dealings
in this Software without prior written authorization from The Open Group.
`;
const libxcrypt = `The overall license for libxcrypt is the GNU Lesser General Public
License, version 2.1 (or, at your option, any later version); see
the file COPYING.LIB for the full terms of this license.`;

describe('licence texts', () => {
  const cases: readonly (readonly [name: string, text: string, found: readonly string[]])[] = [
    ["libdrm's, with names between and comment signs", mit, ['MIT']],
    ["libxcb's", x11, ['X11']],
    ["fontconfig's", fontconfig, ['HPND-sell-variant']],
    ["libXau's", openGroup, ['MIT-open-group']],
    ["libxcrypt's", libxcrypt, ['LGPL-2.1-or-later']],
    [
      'several, one after the other',
      `${mit}\n${fontconfig}\n${openGroup}`,
      ['HPND-sell-variant', 'MIT', 'MIT-open-group'],
    ],
    [
      "GNU's own notice",
      'under the terms of the GNU General Public License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version.',
      ['GPL-2.0-or-later'],
    ],
  ];
  for (const [name, text, found] of cases) {
    it(`are known: ${name}`, () => {
      expect(findLicenceTexts(text)).to.deep.equal(found);
    });
  }

  it('are not guessed of a part', () => {
    expect(findLicenceTexts(mit.slice(0, 800))).to.deep.equal([]);
    expect(findLicenceTexts(toSell)).to.deep.equal([]);
    expect(findLicenceTexts('the GNU General Public License, version 2')).to.deep.equal([]);
    expect(
      findLicenceTexts(`${mit.slice(0, 300)} ${'other words '.repeat(100)} ${mit.slice(300)}`),
    ).to.deep.equal([]);
  });

  it('take linear time on repeated beginnings', () => {
    expect(findLicenceTexts(`${toSell} `.repeat(2000))).to.deep.equal([]);
  });

  it('are looked for in any text', () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom(mit.slice(0, 400), toSell, 'GNU Library General Public License version 2'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        expect(findLicenceTexts(parts.join(' '))).to.be.an('array');
      }),
    );
  });
});
