import { debianToSpdx } from './debian-licence.ts';

const commonLicence = /\/usr\/share\/common-licenses\/([A-Za-z0-9][A-Za-z0-9.+-]*)/g;
const maxLicences = 40;

/**
 * Licences that a Debian `copyright` file states, as SPDX where that is certain: the License fields of the
 * machine-readable form (DEP-5), else the files of `common-licenses` that free text points to. Ordered, each once.
 */
export function parseDebianCopyright(text: string): readonly string[] {
  const isMachineReadable = /^format(?:-specification)?:/im.test(text.slice(0, 2000));
  const names = isMachineReadable ? licenceFields(text) : referredLicences(text);
  return [...new Set(names.map(debianToSpdx))].sort().slice(0, maxLicences);
}

function licenceFields(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /^licen[cs]e:/i.test(line))
    .map((line) => line.slice(line.indexOf(':') + 1).trim())
    .filter((name) => name !== '' && name.length <= 200);
}

function referredLicences(text: string): string[] {
  return Array.from(text.matchAll(commonLicence), (match) => (match[1] ?? '').replace(/[.-]+$/, ''));
}
