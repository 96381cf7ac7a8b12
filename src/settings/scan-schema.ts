import { z } from 'zod';
import { duration } from './field-schemas.ts';

/** API groups that policy reports may be written in. */
const reportGroups = ['wgpolicyk8s.io', 'openreports.io'] as const;

/** `spec.scan`; durations come out in milliseconds. */
export const scanSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether the webhook judges again what already runs.'),
    interval: duration({ min: '10s', max: '168h' })
      .prefault('1h')
      .describe('How often each workload is judged again though nothing changed.'),
    namespaces: z
      .enum(['enforced', 'all'])
      .default('enforced')
      .describe(
        'enforced: what runs in the namespaces that the ValidatingWebhookConfiguration selects; all: what runs in any namespace.',
      ),
    concurrency: z.int().min(1).max(64).default(4).describe('Workloads in work at once in one replica.'),
    workloadsPerSecond: z
      .number()
      .min(0.1)
      .max(1000)
      .default(20)
      .describe('Workloads that one replica judges in a second at most.'),
    evidencePerSecond: z
      .number()
      .min(0.1)
      .max(1000)
      .default(5)
      .describe(
        'Images whose evidence one replica fetches in a second at most, one image counted once for each policy, or Pod if it looks at those; what is known does not count.',
      ),
    maxPods: z
      .int()
      .min(1)
      .max(100_000)
      .default(20_000)
      .describe('Pods that one replica keeps in mind; what exceeds them is counted and not judged.'),
    buckets: z
      .int()
      .min(1)
      .max(64)
      .default(8)
      .describe('Shares into which the workloads are divided among replicas; the same for all of them.'),
    reports: z
      .array(z.enum(reportGroups))
      .max(reportGroups.length)
      .default([...reportGroups])
      .describe('API groups in which policy reports are written, where the cluster has them.'),
  })
  .transform(({ interval, ...rest }) => ({ ...rest, intervalMs: interval }));
