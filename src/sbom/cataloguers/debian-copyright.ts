import { debianToSpdx } from './debian-licence.ts';
import { findLicenceTexts } from './licence-texts.ts';

const commonLicence = /\/usr\/share\/common-licenses\/([A-Za-z0-9][A-Za-z0-9.+-]*)/g;
const maxLicences = 40;

/**
 * Licences that a Debian `copyright` file states, as SPDX where that is certain: the License fields of the
 * machine-readable form (DEP-5), else the files of `common-licenses` that free text points to and the well-known
 * licences that it holds in full. Ordered, each once.
 */
export function parseDebianCopyright(text: string): readonly string[] {
  // Some leave the header out; a paragraph for all files comes in no other form.
  const isMachineReadable = /^(?:format(?:-specification)?:|files: *\*\s*$)/im.test(text.slice(0, 2000));
  const fields = isMachineReadable ? licenceFields(text).map(debianToSpdx) : [];
  const names =
    fields.length > 0 ? fields : [...referredLicences(text).map(debianToSpdx), ...findLicenceTexts(text)];
  return [...new Set(names)].sort().slice(0, maxLicences);
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
