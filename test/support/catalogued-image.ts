import { gzipSync } from 'node:zlib';
import { tar } from '../unit/sbom/tar-fixture.ts';
import { sha256 } from './images.ts';
import type { PushedImage } from './images.ts';
import type { RegistrySession } from './registry-session.ts';

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

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
  'pkg:npm/left-pad@1.3.0',
  'pkg:pypi/flask@3.0.0',
] as const;

/** Pushes an image with packages in it; `label` sets its digest apart from that of others. */
export async function pushCatalogued(
  session: RegistrySession,
  repository: string,
  label: string,
): Promise<PushedImage> {
  const { digest } = await pushPlatform(session, repository, { label, architecture: 'amd64' });
  return { repository, digest, ref: `${repository}@${digest}`, platforms: [] };
}

/** Pushes an image index of such images for two platforms. */
export async function pushCataloguedIndex(
  session: RegistrySession,
  repository: string,
  label: string,
): Promise<PushedImage> {
  const manifests = [
    await pushPlatform(session, repository, { label, architecture: 'amd64' }),
    await pushPlatform(session, repository, { label, architecture: 'arm64' }),
  ];
  const index = json({ schemaVersion: 2, mediaType: types.index, manifests });
  const digest = await session.putManifest(repository, index, types.index);
  return {
    repository,
    digest,
    ref: `${repository}@${digest}`,
    platforms: manifests.map((manifest) => manifest.digest),
  };
}

async function pushPlatform(
  session: RegistrySession,
  repository: string,
  { label, architecture }: { readonly label: string; readonly architecture: string },
) {
  const archive = tar({ ...files, 'app/label': label });
  const layer = gzipSync(archive);
  const config = json({
    created: '2026-01-01T00:00:00Z',
    architecture,
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [sha256(archive)] },
  });
  await session.putBlob(repository, layer);
  await session.putBlob(repository, config);
  const manifest = json({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, digest: sha256(config), size: config.length },
    layers: [{ mediaType: types.layer, digest: sha256(layer), size: layer.length }],
  });
  const digest = await session.putManifest(repository, manifest, types.manifest);
  return {
    mediaType: types.manifest,
    digest,
    size: manifest.length,
    platform: { os: 'linux', architecture },
  };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
