/** What has become of the messages for Graylog so far. */
export interface GelfCounts {
  /** Handed to the network. */
  readonly sent: number;
  /** Lost: the queue was full, the server away for too long, or the process ended. */
  readonly dropped: number;
  readonly waiting: number;
}
