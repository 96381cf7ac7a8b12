import type { Statement } from './statement.ts';

type ParamValue = string | readonly string[] | Readonly<Record<string, string>>;
type Dictionary = Readonly<Record<string, string>>;

/** What a provenance needs to know of a TaskRun; the room `tekton` gives it in this shape. Absent strings are `''`. */
export interface BuildRun {
  readonly metadata: { readonly labels: Dictionary; readonly annotations: Dictionary };
  readonly spec: { readonly params: readonly { readonly name: string; readonly value: ParamValue }[] };
  readonly status: {
    readonly startTime?: string | undefined;
    readonly completionTime?: string | undefined;
    /** Containers that ran; `imageID` is `''` for one that never started. */
    readonly steps: readonly { readonly name: string; readonly imageID: string }[];
    readonly provenance?:
      | {
          readonly refSource?:
            { readonly uri: string; readonly digest: Dictionary; readonly entryPoint: string } | undefined;
        }
      | undefined;
    readonly taskSpec?:
      | {
          readonly params: readonly { readonly name: string; readonly default?: ParamValue | undefined }[];
          readonly steps: readonly {
            readonly name: string;
            readonly script: string;
            readonly command: readonly string[];
            readonly args?: readonly string[] | undefined;
          }[];
        }
      | undefined;
  };
}

/** All that a provenance is made of. */
export interface ProvenanceInput {
  readonly run: BuildRun;
  readonly subjects: readonly { readonly name: string; readonly digest: Dictionary }[];
  readonly materials: readonly { readonly uri: string; readonly digest: Dictionary }[];
  readonly builderId: string;
}

/** Makes the provenance of one run in one format. The same input gives the same statement. */
export type ProvenanceBuilder = (input: ProvenanceInput) => Statement;
