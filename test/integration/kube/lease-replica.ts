import { KubeClient } from '../../../src/kube/kube-client.ts';
import { openKubeconfigAccess } from '../../../src/kube/kubeconfig-access.ts';
import { LeaseBuckets } from '../../../src/kube/leases/lease-buckets.ts';
import { silentLog } from '../../../src/model/log.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';

// One replica as a process of its own: tells its parent which buckets it holds, and ends in order upon SIGTERM.
const [kubeconfig = '', namespace = '', identity = '', buckets = '1'] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGTERM', () => {
  stop.abort();
});
const tell = (kind: 'begun' | 'gained' | 'lost', bucket?: number): void => {
  process.send?.({ kind, bucket, atMs: Date.now() });
};
const access = await openKubeconfigAccess({ paths: [kubeconfig], clock: systemClock }, stop);
await using client = new KubeClient({ access, clock: systemClock });
tell('begun');
await new LeaseBuckets({
  ...{ client, namespace, identity, group: 'work', buckets: Number(buckets) },
  ...{ clock: systemClock, log: silentLog },
  onGained: ({ bucket, signal }) => {
    tell('gained', bucket);
    signal.addEventListener('abort', () => {
      tell('lost', bucket);
    });
  },
}).run({ signal: stop.signal });
