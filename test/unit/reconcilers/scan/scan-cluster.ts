import type { ApplyOptions, KubeClient, ListOptions, ListPage } from '../../../../src/kube/kube-client.ts';
import type { KubeObject, KubeObjectDraft } from '../../../../src/kube/kube-object.ts';
import type { ObjectRef, ResourceType } from '../../../../src/kube/resource-type.ts';
import type { WatchEvent, WatchOptions } from '../../../../src/kube/watch-stream.ts';
import { AppError } from '../../../../src/model/errors.ts';
import { WatchedCluster } from '../watched-cluster.ts';

type ScanClient = Pick<KubeClient, 'list' | 'delete'>;

/** An API server in memory as the scan needs it: selects by namespace and labels, makes what is applied, and deletes. */
export class ScanCluster extends WatchedCluster implements ScanClient {
  /** Nothing may be deleted. */
  isKeeping = false;

  override async *listPages(type: ResourceType, options: ListOptions): AsyncGenerator<ListPage> {
    const [label, value] = options.labelSelector?.split('=') ?? [];
    this.calls.push({ verb: 'list', object: `${type.plural} ${options.namespace ?? '*'}` });
    for await (const page of super.listPages(type, byName(options))) {
      const items = page.items
        .filter(({ metadata }) => [undefined, metadata.namespace].includes(options.namespace))
        .filter(({ metadata }) => label === undefined || metadata.labels?.[label] === value);
      yield { ...page, items };
    }
  }

  override watch(type: ResourceType, options: WatchOptions): AsyncGenerator<WatchEvent> {
    return super.watch(type, byName(options));
  }

  async list(type: ResourceType, options: ListOptions): Promise<ListPage> {
    for await (const page of this.listPages(type, options)) return page;
    throw new Error('no page');
  }

  delete(type: ResourceType, ref: ObjectRef): Promise<undefined> {
    this.calls.push({ verb: 'delete', object: `${type.plural} ${ref.namespace ?? ''}/${ref.name}` });
    return Promise.resolve().then(() => {
      if (this.isKeeping) throw new AppError('ERR_KUBE_FORBIDDEN', 'no delete', { kind: 'permanent' });
      this.remove(type, ref);
      return undefined;
    });
  }

  override apply(type: ResourceType, object: KubeObjectDraft, options: ApplyOptions): Promise<KubeObject> {
    const draft = object as KubeObject;
    if (this.find(type, draft.metadata) === undefined) return Promise.resolve(this.put(type, draft));
    return super.apply(type, object, options);
  }
}

/** Pods that have ended are removed by the tests themselves. */
function byName<T extends { readonly fieldSelector?: string | undefined }>(options: T): T {
  return options.fieldSelector?.startsWith('metadata.name=') === true
    ? options
    : { ...options, fieldSelector: undefined };
}
