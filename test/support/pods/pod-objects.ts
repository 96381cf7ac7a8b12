import type { ChartObject } from './rendered-chart.ts';

/** An environment variable of a container. */
export interface PodVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}

/** A probe of a container. */
export interface PodProbe {
  readonly httpGet?: { readonly path: string; readonly port: string; readonly scheme?: string };
  readonly tcpSocket?: { readonly port: string };
  readonly exec?: { readonly command: readonly string[] };
}

/** A container of a Pod template, as far as running it takes. */
export interface PodContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly PodVariable[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: PodProbe;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}

/** A volume of a Pod template. */
export interface PodVolume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: {
    readonly secretName: string;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
  readonly projected?: {
    readonly sources: readonly {
      readonly serviceAccountToken: { readonly path: string; readonly audience: string };
    }[];
  };
  readonly emptyDir?: object;
}

interface PodSpec {
  readonly initContainers?: readonly PodContainer[];
  readonly containers: readonly PodContainer[];
  readonly volumes: readonly PodVolume[];
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: {
    readonly runAsUser: number;
    readonly runAsGroup: number;
    readonly fsGroup: number;
  };
}

/** A Pod that a rendered object would make. */
export interface PodPlan {
  readonly name: string;
  /** As the object names it, where it does. */
  readonly namespace: string | undefined;
  readonly endsByItself: boolean;
  readonly spec: PodSpec;
  /** Names of its volume claims. */
  readonly claims: readonly string[];
}

interface Workload {
  readonly template: { readonly spec: PodSpec };
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

/** One Pod of each Deployment, StatefulSet and Job. */
export function podsOf(objects: readonly ChartObject[]): readonly PodPlan[] {
  return objects
    .filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind))
    .map(({ kind, metadata, spec }) => {
      const { template, volumeClaimTemplates = [] } = spec as unknown as Workload;
      return {
        name: metadata.name,
        namespace: metadata.namespace,
        endsByItself: kind === 'Job',
        spec: template.spec,
        claims: volumeClaimTemplates.map((claim) => claim.metadata.name),
      };
    });
}
