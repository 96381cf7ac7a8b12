import { arch, platform as systemOf } from 'node:os';
import { AppError } from '../../model/errors.ts';
import type { Descriptor } from '../../model/oci.ts';

/** A platform by the names of Go and OCI: `linux/amd64`, `linux/arm/v7`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** What `--platform` says; absent: this machine's where there are several. */
export type PlatformChoice = Platform | 'all' | undefined;

const pattern = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9._]+))?$/;
// Node's names where they differ from Go's (GOARCH); containers on other systems run Linux.
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Parses `OS/ARCH[/VARIANT]` or `all`. Throws ERR_USAGE_PLATFORM. */
export function parsePlatformChoice(value: string | undefined): PlatformChoice {
  if (value === undefined || value === 'all') return value;
  const [, os, architecture, variant] = pattern.exec(value) ?? [];
  if (os !== undefined && architecture !== undefined) {
    return { os, architecture, ...(variant === undefined ? {} : { variant }) };
  }
  throw platformFault(`"${value.slice(0, 80)}" is no platform`, 'Write OS/ARCH such as linux/arm64, or all.');
}

/** What containers run on here. */
export function localPlatform(): Platform {
  const os = systemOf() === 'win32' ? 'windows' : 'linux';
  return { os, architecture: architectures[arch()] ?? arch() };
}

/**
 * The manifests of an image index that are meant: all, the one for the platform, or a lone one whatever it is for. Throws
 * ERR_USAGE_PLATFORM, which lists what there is.
 */
export function choosePlatforms(
  manifests: readonly Descriptor[],
  choice: PlatformChoice,
  object: string,
): readonly Descriptor[] {
  if (choice === 'all') return manifests;
  if (choice === undefined && manifests.length === 1) return manifests;
  const wanted = choice ?? localPlatform();
  const found = manifests.find(({ platform }) => isFor(platform, wanted));
  if (found !== undefined) return [found];
  const held = manifests.map(({ platform }) =>
    platform === undefined ? 'unknown' : formatPlatform(platform),
  );
  throw platformFault(
    `${object} has no image for ${formatPlatform(wanted)}, only for ${held.join(', ')}`,
    'Name one of these with --platform, or all.',
  );
}

/** ERR_USAGE_PLATFORM. */
export function platformFault(message: string, remedy: string): AppError {
  return new AppError('ERR_USAGE_PLATFORM', message, { kind: 'permanent', remedy });
}

function isFor(platform: Descriptor['platform'], wanted: Platform): boolean {
  return (
    platform?.os === wanted.os &&
    platform.architecture === wanted.architecture &&
    (wanted.variant === undefined || platform.variant === wanted.variant)
  );
}

function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}
