import { expect } from 'chai';
import fc from 'fast-check';
import { parseDebianCopyright } from '../../../../src/sbom/cataloguers/debian-copyright.ts';
import { debianToSpdx } from '../../../../src/sbom/cataloguers/debian-licence.ts';

describe('Debian copyright', () => {
  it('takes the License fields of the machine-readable form', () => {
    const text = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: GPL-2+
 This program is free software
Files: debian/*
License: Expat

License: GPL-2+
 text
`;
    expect(parseDebianCopyright(text)).to.deep.equal(['GPL-2.0-or-later', 'MIT']);
  });

  it('takes the common licences that free text points to', () => {
    const text = "see /usr/share/common-licenses/LGPL-2.1, and `/usr/share/common-licenses/GPL'.";
    expect(parseDebianCopyright(text)).to.deep.equal(['GPL-1.0-or-later', 'LGPL-2.1-only']);
  });

  it('reads the machine-readable form without its header, as Wayland has it', () => {
    const text = `Upstream-Name: wayland
Source: https://wayland.freedesktop.org/releases/

Files: debian/*
Copyright: © 2011 Cyril Brulebois <kibi@debian.org>
License: X11

Files: *
License: X11
`;
    expect(parseDebianCopyright(text)).to.deep.equal(['X11']);
  });

  it('knows well-known licences that free text holds beside common ones', () => {
    const notice =
      'GNU Lesser General Public License, version 2.1 (or, at your option, any later version); BSD: /usr/share/common-licenses/BSD';
    expect(parseDebianCopyright(notice)).to.deep.equal(['BSD', 'LGPL-2.1-or-later']);
  });

  it('gives nothing where nothing is stated', () => {
    expect(parseDebianCopyright('do as you like')).to.deep.equal([]);
  });

  for (const [debian, spdx] of [
    ['GPL-3+', 'GPL-3.0-or-later'],
    ['LGPL-2.1', 'LGPL-2.1-only'],
    ['LGPL', 'LGPL-2.0-or-later'],
    ['GPL-2+ or Artistic', 'GPL-2.0-or-later OR Artistic-1.0-Perl'],
    ['GPL-2+ and BSD-3-clause, or Expat', '(GPL-2.0-or-later AND BSD-3-clause) OR MIT'],
    ['GPL-2+ with Autoconf exception', 'GPL-2.0-or-later WITH Autoconf-exception-3.0'],
    ['GPL-2+ with strange exception', 'GPL-2+ with strange exception'],
    ['GFDL-NIV-1.3+', 'GFDL-1.3-no-invariants-or-later'],
    ['own-words', 'own-words'],
  ] as const) {
    it(`maps ${debian}`, () => {
      expect(debianToSpdx(debian)).to.equal(spdx);
    });
  }

  it('reads any text without fault', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 500 }), (text) => {
        parseDebianCopyright(`Format: x\nLicense: ${text}`);
        parseDebianCopyright(text);
      }),
    );
  });
});
