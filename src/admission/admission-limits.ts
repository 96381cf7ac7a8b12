/** Upper bounds of this room, each with the reason for its size. */
export const admissionLimits = {
  /** A review holds an object and its predecessor, of at most 3 MiB each (the API server's bound of a request). */
  reviewBytes: 8 * 1024 * 1024,
  /** Bodies of all reviews that are read or wait; more would be memory that nobody planned for. */
  bufferedBytes: 96 * 1024 * 1024,
  /** Reviews in work at once; most of the time of each is waiting for a registry. */
  reviewsInWork: 256,
  /** Reviews that wait for their turn. */
  reviewsWaiting: 512,
  /** Connections; each API server holds one for each review that it has under way. */
  connections: 2048,
  /** Different images of one object. */
  images: 128,
  /** Images that are being judged at once, those included whose reviews were answered already. */
  judgements: 1024,
  /** Tags whose digest is remembered. */
  tags: 1024,
  /** A denial: it stands in Events and conditions, too, and a person has to read it. */
  messageBytes: 6 * 1024,
  /** Images that a denial tells of in full. */
  explainedImages: 8,
  /** A warning: API servers cut longer ones off. */
  warningLength: 256,
  /** Warnings of one answer: API servers drop what exceeds 4,096 characters in all. */
  warnings: 14,
} as const;

/** Times of this room, in milliseconds. */
export const admissionTimes = {
  /** What of the webhook's timeout is left for the way back. */
  answerMarginMs: 1000,
  /** The least that a review gets, however short the API server's patience. */
  shortestMs: 200,
  /** After the deadline of a review something is wrong with its handler, and the server answers by itself. */
  graceMs: 250,
  /** Judging an image goes on after its review was answered, so that the next try finds the result. */
  judgingMs: 30_000,
  /** Resolving a tag. */
  resolvingMs: 15_000,
  /** How long a tag's digest is remembered: the mutating and the validating call of one object come within it. */
  tagMs: 2000,
  /** Header and body of a request. */
  headersMs: 5000,
  requestMs: 15_000,
  /** Longer than the 90 s for which Go keeps idle connections, so that never both ends act at once. */
  keepAliveMs: 120_000,
} as const;
