import { ensurePackages } from '../../stack/packages.ts';
import type { DebianPackage } from '../../stack/versions.ts';

/** What building the images and asking their package managers takes, besides Node, npm and Python. */
const tools: readonly DebianPackage[] = [
  { name: 'mmdebstrap', program: /^mmdebstrap$/, folders: ['/usr/bin'] },
  { name: 'rpm', program: /^rpmbuild$/, folders: ['/usr/bin'] },
  { name: 'time', program: /^time$/, folders: ['/usr/bin'] },
  { name: 'maven', program: /^mvn$/, folders: ['/usr/bin'] },
  { name: 'zstd', program: /^zstd$/, folders: ['/usr/bin'] },
];

/** Sees to it that Debian's tools are installed; takes root if one is not. */
export async function ensureTools(): Promise<void> {
  await ensurePackages(tools);
}
