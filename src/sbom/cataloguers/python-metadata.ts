import { parseFieldLines } from './formats/field-lines.ts';
import { asObject, asText, defined, parseJsonObject, textOf } from './formats/json-fields.ts';
import { parsePerson, webAddress } from './formats/supplier.ts';
import type { Supplier } from './formats/supplier.ts';

/** What a distribution's METADATA or PKG-INFO says (core metadata specification). */
export interface PythonMetadata {
  readonly kind: 'metadata';
  readonly name: string;
  readonly version: string;
  /** Of the metadata itself, as indexes list it too (PEP 658). */
  readonly sha256?: string;
  readonly licences?: readonly string[];
  readonly author?: Supplier;
  readonly homepage?: string;
  readonly repository?: string;
  /** Normalised names that it requires, without those of extras. */
  readonly requires?: readonly string[];
}

/** What `direct_url.json` (PEP 610) says: installed from a repository, an archive or a folder, not from an index. */
export interface PythonOrigin {
  readonly kind: 'origin';
  readonly url: string;
  /** `git+https://host/repo@commit`, for the purl. */
  readonly vcsUrl?: string;
  readonly sha256?: string;
  readonly isEditable?: boolean;
}

/** Licence texts pasted into the field are no licence names. */
const maxLicenceLength = 200;

/** Names compare like this (PEP 503). */
export function normalisePythonName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

/** Reads METADATA or PKG-INFO; undefined without name or version. */
export function parsePythonMetadata(content: Uint8Array, sha256?: string): PythonMetadata | undefined {
  const fields = parseFieldLines(textOf(content));
  const first = (name: string): string | undefined => known(fields.get(name)?.[0]);
  const name = first('name');
  const version = first('version');
  if (name === undefined || version === undefined) return undefined;
  const requires = [...new Set((fields.get('requires-dist') ?? []).flatMap(requirementOf))];
  const licences = licencesOf(first('license-expression'), first('license'), fields.get('classifier') ?? []);
  return {
    kind: 'metadata',
    name,
    version,
    ...defined({
      sha256,
      licences: licences.length > 0 ? licences : undefined,
      author: authorOf(
        first('author') ?? first('maintainer'),
        first('author-email') ?? first('maintainer-email'),
      ),
      requires: requires.length > 0 ? requires : undefined,
      ...addressesOf(first('home-page'), fields.get('project-url') ?? []),
    }),
  };
}

/** setuptools writes UNKNOWN where nothing was given. */
function known(value: string | undefined): string | undefined {
  const text = asText(value);
  return text === 'UNKNOWN' ? undefined : text;
}

function licencesOf(
  expression: string | undefined,
  licence: string | undefined,
  classifiers: readonly string[],
): string[] {
  if (expression !== undefined) return [expression];
  if (licence !== undefined && licence.length <= maxLicenceLength && !licence.includes('\n'))
    return [licence];
  return classifiers
    .filter((classifier) => classifier.startsWith('License ::'))
    .flatMap((classifier) => asText(classifier.split('::').at(-1)) ?? [])
    .filter((name) => name !== 'OSI Approved');
}

/** `Author-email` often holds `Name <address>` instead of an address, and several of them. */
function authorOf(name: string | undefined, mail: string | undefined): Supplier | undefined {
  const { name: nameInMail, email } = parsePerson(mail) ?? {};
  const shown = name ?? nameInMail;
  return shown === undefined ? undefined : defined({ name: shown.slice(0, 200), email });
}

function addressesOf(homepage: string | undefined, projectUrls: readonly string[]) {
  const named = new Map<string, string>();
  for (const entry of projectUrls) {
    const comma = entry.indexOf(',');
    named.set(
      entry
        .slice(0, comma)
        .trim()
        .toLowerCase()
        .replace(/[-\s]+/g, ''),
      entry.slice(comma + 1).trim(),
    );
  }
  const repository = ['source', 'sourcecode', 'repository', 'github', 'code'].map((label) =>
    named.get(label),
  );
  return {
    homepage: webAddress(homepage ?? named.get('homepage')),
    repository: webAddress(repository.find((address) => address !== undefined)),
  };
}

/** The normalised name of a requirement (PEP 508), none for those of extras and of other operating systems. */
function requirementOf(requirement: string): string[] {
  const [wanted = '', marker = ''] = requirement.split(';');
  if (/\bextra\s*[=!]=|\bextra\s+in\b/.test(marker)) return [];
  if (
    /(?:sys_platform|platform_system|os_name)\s*==\s*["'](?:win32|Windows|nt|darwin|Darwin|cygwin)["']/.test(
      marker,
    )
  ) {
    return [];
  }
  const name = /^[a-z\d](?:[\w.-]*[a-z\d])?/i.exec(wanted.trim())?.[0];
  return name === undefined ? [] : [normalisePythonName(name)];
}

/** Reads `direct_url.json`. */
export function parsePythonOrigin(content: Uint8Array): PythonOrigin | undefined {
  const origin = parseJsonObject(content);
  const url = asText(origin['url']);
  if (url === undefined) return undefined;
  const { vcs, commit_id: commit } = asObject(origin['vcs_info']);
  const { hashes, hash } = asObject(origin['archive_info']);
  const sha256 = asText(asObject(hashes)['sha256']) ?? asText(hash)?.replace(/^sha256=/, '');
  const isRevision = typeof vcs === 'string' && typeof commit === 'string';
  return {
    kind: 'origin',
    url: withoutCredentials(url),
    ...defined({
      vcsUrl: isRevision ? `${vcs}+${withoutCredentials(url)}@${commit}` : undefined,
      sha256: sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined,
      isEditable: asObject(origin['dir_info'])['editable'] === true ? true : undefined,
    }),
  };
}

function withoutCredentials(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)[^/@]*@/i, '$1');
}
