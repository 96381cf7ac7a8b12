import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage, Repository } from '../../model/image-reference.ts';
import type { EvidenceLayout } from '../../model/signing-record.ts';
import type { SigningAuthority } from '../../policy/compiled-policy.ts';
import { placeOf } from '../../policy/evidence-place.ts';
import { EvidenceReader } from '../../policy/image-evidence.ts';
import type { EvidencePiece } from '../../policy/image-evidence.ts';
import type { ImageStore } from '../../registry/image-store.ts';

/** A place with what was found in it. */
export interface SearchedPlace {
  readonly repository: Repository;
  /** Of the tags there. */
  readonly tagPrefix: string;
  readonly pieces: readonly EvidencePiece[];
}

/** Where evidence is looked for. */
export interface SearchParts {
  readonly store: ImageStore;
  /** Whose places are looked at besides the image's own. */
  readonly authorities: readonly SigningAuthority[];
  readonly signal: AbortSignal;
}

type Place = Omit<SearchedPlace, 'pieces'>;

/** Each may hold as much as is read of one place; policies name one or two. */
const maxPlaces = 8;

/**
 * Reads the evidence beside an image, and in the places that authorities name: one after the other, at most eight. Throws
 * passing faults.
 */
export async function searchPlaces(
  { repository, digest }: PinnedImage,
  { store, authorities, signal }: SearchParts,
): Promise<{ readonly places: readonly SearchedPlace[]; readonly obstacles: readonly string[] }> {
  const all = placesOf(repository, authorities);
  const leftOut = all.slice(maxPlaces).map((place) => `${inWords(place)}: too many places were named`);
  const places: SearchedPlace[] = [];
  const obstacles = new Set<string>();
  for (const place of all.slice(0, maxPlaces)) {
    // Referrers have no prefix: those of a repository are read once.
    const isKnown = places.some((one) => isSameRepository(one.repository, place.repository));
    const layouts: readonly EvidenceLayout[] = isKnown ? ['tag'] : ['tag', 'referrer'];
    const { tagPrefix } = place;
    const target = { repository: place.repository, digest };
    const reader = new EvidenceReader(store, target, { signal, tagPrefix });
    const found = await Promise.all(layouts.map((layout) => reader.read(layout)));
    places.push({ ...place, pieces: found.flatMap(({ pieces }) => pieces) });
    const isOwn = place === all[0];
    for (const text of found.flatMap((one) => one.obstacles)) {
      obstacles.add(isOwn ? text : `${inWords(place)}: ${text}`);
    }
  }
  return { places, obstacles: [...obstacles, ...leftOut] };
}

/** The image's own place first, each once. */
function placesOf(repository: Repository, authorities: readonly SigningAuthority[]): readonly Place[] {
  const named = authorities.map((authority): Place => {
    const { repository: there, tagPrefix = '' } = placeOf(authority, repository);
    return { repository: there, tagPrefix };
  });
  const all = [{ repository, tagPrefix: '' }, ...named];
  return [...new Map(all.map((place) => [inWords(place), place])).values()];
}

function isSameRepository(one: Repository, other: Repository): boolean {
  return formatRepository(one) === formatRepository(other);
}

function inWords({ repository, tagPrefix }: Place): string {
  const name = formatRepository(repository);
  return tagPrefix === '' ? name : `${name}, tags with ${tagPrefix}`;
}
