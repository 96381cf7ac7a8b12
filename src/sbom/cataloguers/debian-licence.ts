/** Debian's short names (copyright-format 1.0, section 7) where they are not SPDX's. */
const aliases: Readonly<Record<string, string>> = {
  expat: 'MIT',
  artistic: 'Artistic-1.0-Perl',
  perl: 'Artistic-1.0-Perl OR GPL-1.0-or-later',
  bsd: 'BSD',
  zlib: 'Zlib',
  'public-domain': 'public-domain',
  'boost-1.0': 'BSL-1.0',
  psf: 'Python-2.0',
  'psf-2': 'PSF-2.0',
  'python-2.0': 'Python-2.0',
  cc0: 'CC0-1.0',
  'mpl-1.1': 'MPL-1.1',
  openssl: 'OpenSSL',
  'bsd-2': 'BSD-2-Clause',
  'bsd-3': 'BSD-3-Clause',
  'bsd-4': 'BSD-4-Clause',
  'artistic-1': 'Artistic-1.0',
  'artistic-2': 'Artistic-2.0',
  'apache-2': 'Apache-2.0',
  'apache-2-llvm-exceptions': 'Apache-2.0 WITH LLVM-exception',
  'gfdl-niv-1.3': 'GFDL-1.3-no-invariants-only',
  'gfdl-niv-1.3+': 'GFDL-1.3-no-invariants-or-later',
  'gfdl-niv-1.2+': 'GFDL-1.2-no-invariants-or-later',
};
/** Families whose Debian name has the version but not the `-only` or `-or-later` of SPDX. */
const gnuName = /^(a?gpl|lgpl|gfdl)(?:-?v?(\d+(?:\.\d+)?))?(\+)?$/;
const exceptions: readonly (readonly [RegExp, string])[] = [
  [/openssl/, ''],
  [/autoconf/, 'Autoconf-exception-3.0'],
  [/bison/, 'Bison-exception-2.2'],
  [/libtool/, 'Libtool-exception'],
  [/gcc|runtime/, 'GCC-exception-3.1'],
  [/classpath/, 'Classpath-exception-2.0'],
  [/font/, 'Font-exception-2.0'],
  [/linux-syscall/, 'Linux-syscall-note'],
];

/** A Debian licence name or combination (`GPL-2+ or Artistic`) as SPDX; as it stands where the mapping is not certain. */
export function debianToSpdx(name: string): string {
  const plain = name.replace(/\s+/g, ' ').trim();
  const alternatives = splitWord(plain, 'or').map((alternative) =>
    splitWord(alternative.replace(/,$/, ''), 'and').map(mapOne),
  );
  if (alternatives.length === 1 && alternatives[0]?.length === 1) return alternatives[0][0] ?? plain;
  return alternatives
    .map((parts) =>
      parts.length > 1 && alternatives.length > 1 ? `(${parts.join(' AND ')})` : parts.join(' AND '),
    )
    .join(' OR ');
}

function splitWord(text: string, word: 'or' | 'and'): string[] {
  return text
    .split(word === 'or' ? / or /i : / and |, /i)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function mapOne(name: string): string {
  const withException = /^(\S+) with (.+)$/i.exec(name);
  if (withException?.[1] !== undefined) return mapException(withException[1], withException[2] ?? '', name);
  return mapGnu(name) ?? aliases[name.toLowerCase()] ?? name;
}

function mapException(base: string, exception: string, name: string): string {
  const id = exceptions.find(([pattern]) => pattern.test(exception.toLowerCase()))?.[1];
  return id ? `${mapGnu(base) ?? base} WITH ${id}` : name;
}

/** `GPL-2+` is GPL-2.0-or-later, `GPL-2` GPL-2.0-only; a GPL without version means any. */
function mapGnu(name: string): string | undefined {
  const match = gnuName.exec(name.toLowerCase());
  if (match === null) return undefined;
  const family = (match[1] ?? '').toUpperCase();
  const lowest = family === 'LGPL' ? '2.0' : family === 'GFDL' ? '1.1' : family === 'AGPL' ? '3.0' : '1.0';
  const version = match[2] ?? lowest;
  const isOpen = match[2] === undefined || match[3] === '+';
  return `${family}-${version.includes('.') ? version : `${version}.0`}-${isOpen ? 'or-later' : 'only'}`;
}
