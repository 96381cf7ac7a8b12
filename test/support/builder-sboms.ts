import { sha256 } from './images.ts';
import type { PushedImage } from './images.ts';
import type { RegistrySession } from './registry-session.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** A CycloneDX document as a build writes it about its image. */
export function builderCycloneDx({ repository, digest }: Pick<PushedImage, 'repository' | 'digest'>): Buffer {
  return Buffer.from(
    JSON.stringify({
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      version: 1,
      metadata: { component: { type: 'container', name: repository, version: digest } },
      components: [{ type: 'library', name: 'only-the-builder-knows', version: '1' }],
    }),
  );
}

/** An SPDX document as a build writes it about its image. */
export function builderSpdx({ repository, digest }: Pick<PushedImage, 'repository' | 'digest'>): Buffer {
  return Buffer.from(
    JSON.stringify({
      spdxVersion: 'SPDX-2.3',
      SPDXID: 'SPDXRef-DOCUMENT',
      dataLicense: 'CC0-1.0',
      name: repository,
      documentNamespace: 'https://builder.golems.internal/spdx/1',
      creationInfo: { created: '2026-01-01T00:00:00Z', creators: ['Tool: builder'] },
      packages: [
        { SPDXID: 'SPDXRef-image', name: repository, versionInfo: digest, downloadLocation: 'NOASSERTION' },
      ],
      relationships: [
        {
          spdxElementId: 'SPDXRef-DOCUMENT',
          relationshipType: 'DESCRIBES',
          relatedSpdxElement: 'SPDXRef-image',
        },
      ],
    }),
  );
}

/** Attaches a document to an image as `oras attach --artifact-type TYPE` does, where the registry has referrers. */
export async function attachDocument(
  session: RegistrySession,
  image: PushedImage,
  document: Buffer,
  artifactType: string,
): Promise<void> {
  const subject = await session.findManifest(image.repository, image.digest);
  const config = Buffer.from('{}');
  await session.putBlob(image.repository, config);
  await session.putBlob(image.repository, document);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      artifactType,
      config: {
        mediaType: 'application/vnd.oci.empty.v1+json',
        digest: sha256(config),
        size: config.length,
      },
      layers: [{ mediaType: artifactType, digest: sha256(document), size: document.length }],
      subject: { mediaType: manifestType, digest: image.digest, size: subject?.length ?? 0 },
    }),
  );
  await session.putManifest(image.repository, manifest, manifestType);
}
