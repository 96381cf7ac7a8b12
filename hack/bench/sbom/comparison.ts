import { typeOf } from './bom.ts';
import type { ListedPackage } from './bom.ts';

/** Why a package stands in one BOM only. */
export type Reason =
  | 'the other one overlooked it: installed, by the independent check'
  | 'of an SBOM that the package itself carries'
  | 'a manifest without version: not a package that can be looked up'
  | 'same file, named otherwise'
  | 'program or library recognised by its bytes'
  | 'unexplained';

/** Both BOMs of one image against each other and against what is installed. */
export interface Comparison {
  readonly both: number;
  readonly onlyOurs: Readonly<Record<string, number>>;
  readonly onlyPeer: Readonly<Record<string, number>>;
  /** Packages that the independent check found. */
  readonly installed: number;
  /** Of those, the ones that a BOM lacks. */
  readonly missing: { readonly ours: readonly string[]; readonly peer: readonly string[] };
  /** Share of the peer's real packages that are in ours, by purl. */
  readonly sharedShare: number;
  readonly unexplained: readonly string[];
}

type Packages = ReadonlyMap<string, ListedPackage>;
const carried = /dist-info\/sboms\/|META-INF\/sbom\/|\.spdx|\.cdx\.json|sbom\.(?:cdx|spdx)/;

/** Compares by key; see `keyOf`. */
export function compare(ours: Packages, peer: Packages, installed: ReadonlySet<string>): Comparison {
  const explainOurs = explainer(peer, ours, installed);
  const explainPeer = explainer(ours, peer, installed);
  const onlyOurs = [...ours.values()].filter(({ key }) => !peer.has(key)).map(explainOurs);
  const onlyPeer = [...peer.values()].filter(({ key }) => !ours.has(key)).map(explainPeer);
  const both = [...ours.keys()].filter((key) => peer.has(key)).length;
  // A name that the peer guessed for a file is real only if the independent check knows the package by it.
  const unreal = onlyPeer.filter(
    ({ key, reason }) =>
      reason.startsWith('a manifest') || (reason.startsWith('same file') && !installed.has(key)),
  );
  const real = both + onlyPeer.length - unreal.length;
  return {
    both,
    onlyOurs: countReasons(onlyOurs),
    onlyPeer: countReasons(onlyPeer),
    installed: installed.size,
    missing: { ours: absentFrom(ours, installed), peer: absentFrom(peer, installed) },
    sharedShare: real === 0 ? 1 : both / real,
    unexplained: [...onlyOurs, ...onlyPeer]
      .filter(({ reason }) => reason === 'unexplained')
      .map(({ key }) => key),
  };
}

interface Explained {
  readonly key: string;
  readonly reason: Reason;
}

function explainer(
  others: Packages,
  own: Packages,
  installed: ReadonlySet<string>,
): (one: ListedPackage) => Explained {
  const unmatched = [...others.values()].filter(({ key }) => !own.has(key));
  const otherNames = new Set(unmatched.map((one) => placeOf(one)));
  return (one) => ({ key: one.key, reason: reasonFor(one, otherNames, installed) });
}

function reasonFor(
  one: ListedPackage,
  otherNames: ReadonlySet<string>,
  installed: ReadonlySet<string>,
): Reason {
  if (installed.has(one.key) && !otherNames.has(placeOf(one)))
    return 'the other one overlooked it: installed, by the independent check';
  if (!one.key.includes('@', one.key.lastIndexOf('/')) || /@(?:UNKNOWN)?$/.test(one.key))
    return 'a manifest without version: not a package that can be looked up';
  if (otherNames.has(placeOf(one))) return 'same file, named otherwise';
  if (carried.test(one.path ?? '')) return 'of an SBOM that the package itself carries';
  if (typeOf(one.key) === 'generic') return 'program or library recognised by its bytes';
  return 'unexplained';
}

/** Where a package is, and its name without group, so that the many packages of one file are told apart. */
function placeOf({ key, path }: ListedPackage): string {
  return `${path?.split('!')[0] ?? ''} ${key.slice(key.lastIndexOf('/') + 1)}`;
}

function countReasons(explained: readonly Explained[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of explained) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

function absentFrom(listed: Packages, installed: ReadonlySet<string>): string[] {
  return [...installed].filter((key) => !listed.has(key)).sort();
}
