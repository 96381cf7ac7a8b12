/** Upper bounds of this room, each with the reason for its size. */
export const kubeBounds = {
  /**
   * Objects of one page of a list. A page is held as text and as objects at a time: with client-go's 500 the first list
   * of 5,000 TaskRuns of 7 KB left 40 MB more behind than with 100, and was no faster.
   */
  pageSize: 100,
  /** Objects that `list` gathers before it refuses; the informer goes page by page and has no such bound. */
  listedObjects: 10_000,
  /** A page of full-sized objects may take longer than one object. */
  listMs: 60_000,
  /** Connections to one API server: the workers' requests plus one for each watch. */
  connections: 128,
  /** Milliseconds that an idle connection is kept; the API server closes its side after 90 s. */
  keepAliveMs: 60_000,
  /** Bookmarks come about once a minute; a watch silent for longer than two of them is taken for dead. */
  watchIdleMs: 150_000,
  /** The server is asked to end a watch after 5 to 10 minutes, as client-go does, so that load spreads over replicas. */
  watchMinSeconds: 300,
  watchMaxSeconds: 600,
  /** A refused answer is read so far, to tell its reason. */
  faultBytes: 64 * 1024,
  /** Credentials are read again after this time: client-go's period for a projected token. */
  credentialsMs: 60_000,
} as const;
