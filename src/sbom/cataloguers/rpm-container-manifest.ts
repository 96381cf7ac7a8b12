import type { RpmPackage } from './rpm-packages.ts';

/**
 * The packages of `container-manifest-2`, which Azure Linux leaves in images without an RPM database: a line for each
 * package, tab-separated: name, version-release, install time, build time, vendor, epoch, size, architecture, epoch
 * number, source RPM. Lines without name and version are left out.
 */
export function parseContainerManifest(text: string): readonly RpmPackage[] {
  return text.split('\n').flatMap((line): RpmPackage[] => {
    const [name, version, , , vendor, , , architecture, epoch, sourceRpm] = line.split('\t');
    if (!name || !version) return [];
    return [
      {
        name,
        version,
        ...(vendor && vendor !== '(none)' ? { vendor } : {}),
        ...(architecture ? { architecture } : {}),
        ...(epoch && /^[1-9]\d{0,8}$/.test(epoch) ? { epoch: Number(epoch) } : {}),
        ...(sourceRpm ? { sourceRpm } : {}),
        needs: [],
        needsComplete: false,
        paths: [],
      },
    ];
  });
}
