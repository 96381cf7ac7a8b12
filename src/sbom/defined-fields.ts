/** Fields that are there: with `exactOptionalPropertyTypes` an absent one must not be `undefined`. */
export type DefinedFields<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** `fields` without those that are undefined or the empty string. */
export function definedFields<T extends object>(fields: T): DefinedFields<T> {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(kept) as DefinedFields<T>;
}
