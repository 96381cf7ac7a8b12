import { tar } from '../unit/sbom/tar-fixture.ts';
import { pushImageOf, pushIndexOf } from './images.ts';
import type { PushedImage } from './images.ts';
import type { RegistrySession } from './registry-session.ts';

/** Some packages of three ecosystems, and a Debian to put them in. */
const files = {
  'etc/os-release': 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  'var/lib/dpkg/status': [
    'Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\nSource: glibc\n',
    'Package: curl\nStatus: install ok installed\nVersion: 7.88.1-10\nArchitecture: amd64\nDepends: libc6\n',
  ].join('\n'),
  'app/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0","license":"WTFPL"}',
  'usr/lib/python3/dist-packages/flask-3.0.0.dist-info/METADATA':
    'Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.0\n',
} as const;

/** The purls that an SBOM of such an image lists, without qualifiers. */
export const cataloguedPurls = [
  'pkg:deb/debian/curl@7.88.1-10',
  'pkg:deb/debian/libc6@2.36-9',
  'pkg:generic/debian@12',
  'pkg:npm/left-pad@1.3.0',
  'pkg:pypi/flask@3.0.0',
] as const;

/** Pushes an image with packages in it; `label` sets its digest apart from that of others. */
export async function pushCatalogued(
  session: RegistrySession,
  repository: string,
  label: string,
): Promise<PushedImage> {
  return pushImageOf(session, repository, { archive: archiveOf(label) });
}

/** Pushes an image index of such images for two platforms. */
export async function pushCataloguedIndex(
  session: RegistrySession,
  repository: string,
  label: string,
): Promise<PushedImage> {
  return pushIndexOf(session, repository, () => ({ archive: archiveOf(label) }));
}

function archiveOf(label: string): Buffer {
  return Buffer.from(tar({ ...files, 'app/label': label }));
}
