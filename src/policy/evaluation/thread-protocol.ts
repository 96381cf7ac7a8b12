/** What the host asks of an evaluation thread; one at a time. */
export type ThreadJob = { readonly job: number; readonly policy: number } & (
  | { readonly kind: 'compile'; readonly source: Uint8Array }
  | {
      readonly kind: 'evaluate';
      readonly document: Uint8Array;
      readonly strict: boolean;
      /** The time that the policy sees. */
      readonly nowMs: number;
    }
  | { readonly kind: 'release' }
);

/** What an evaluation thread says. After a crash its instance is broken and the thread has to be replaced. */
export type ThreadReply =
  | { readonly kind: 'ready'; readonly memoryBytes: number }
  | {
      readonly kind: 'answer';
      readonly job: number;
      readonly answer: Uint8Array;
      readonly memoryBytes: number;
    }
  | { readonly kind: 'crash'; readonly job: number; readonly reason: string };
