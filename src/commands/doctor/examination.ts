import type { ClusterAccess } from '../../kube/cluster-access.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { AppError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import type { ResolvedSettings } from '../../settings/resolution.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import type { Dispatchers } from '../wiring/dispatchers.ts';
import type { Discovery } from './finding-table.ts';

/** What the cluster, and how we come to it, is. */
export interface ClusterParts {
  readonly access: ClusterAccess;
  readonly client: KubeClient;
  /** The controller's. */
  readonly account: { readonly namespace: string; readonly name: string };
  readonly webhookName: string;
  /** Whether Chainwright itself is there to be asked: settings that come from a file are nobody's in the cluster. */
  readonly configFile: string | undefined;
  readonly clock: Clock;
  /** Of this check: it has a deadline. */
  readonly signal: AbortSignal;
}

/** What signing by the settings takes. */
export interface SigningParts extends ClusterParts {
  readonly settings: Settings;
  readonly dispatchers: Dispatchers;
  readonly trust: TrustReading;
  readonly registry: RegistryParts | undefined;
}

/** What became of the trust root. */
export interface TrustReading {
  /** Absent where there is none, or none that can be used. */
  readonly root?: TrustRoot | undefined;
  /** Of a trust root of one's own. */
  readonly text?: string | undefined;
  readonly fault?: AppError | undefined;
}

/** The repository that may be tried out. */
export interface RegistryParts {
  readonly repository: string;
  readonly store: ImageStore;
  readonly isReadOnly: boolean;
}

/** What became of the settings. */
export type SettingsReading =
  | { readonly resolved: ResolvedSettings; readonly fault?: undefined }
  | { readonly resolved?: undefined; readonly fault: AppError };

/** A part of the installation to look at. */
export type Check =
  | {
      readonly name: string;
      readonly needs: 'cluster';
      readonly look: (parts: ClusterParts, settings: SettingsReading) => Promise<readonly Discovery[]>;
    }
  | {
      readonly name: string;
      readonly needs: 'settings';
      readonly look: (parts: SigningParts) => Promise<readonly Discovery[]>;
    };
