import { findObject } from '../../../kube/find-object.ts';
import PQueue from 'p-queue';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { isAppError } from '../../../model/errors.ts';
import { fieldOf, isForbidden, recordsIn, textOf } from '../cluster-objects.ts';
import type { Check, ClusterParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';
import { readReleasedRights } from '../released-manifests.ts';

/** One thing that an account must be allowed to do. */
export interface NeededRight {
  readonly account: { readonly namespace: string; readonly name: string };
  readonly role: string;
  readonly attributes: {
    readonly verb: string;
    readonly group: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly name?: string;
    readonly namespace?: string;
  };
}

const concurrency = 8;
const releasedNamespace = 'tekton-chains';
// Only where ImageValidatingPolicies are kept: docs/kyverno.md.
const optionalRoles = ['chainwright-webhook-kyverno'];

/**
 * Each account of ours that is there, against the roles of this release; the controller's must be there. Where we may not ask
 * about others, our own account alone.
 */
export const rightsCheck: Check = {
  name: 'rights',
  needs: 'cluster',
  look: async (parts, { resolved }) => {
    const exportsToKyverno = resolved?.settings.kyverno.export === true;
    const all = neededRights(await readReleasedRights(), parts.account);
    const rights = all.filter(({ role }) => exportsToKyverno || !optionalRoles.includes(role));
    const self = await findSelf(all, parts);
    const accounts = Map.groupBy(rights, ({ account }) => `${account.namespace}/${account.name}`);
    const found = await Promise.all(
      [...accounts].map(async ([name, ofAccount]) => {
        const [{ account } = { account: parts.account }] = ofAccount;
        const object = `ServiceAccount ${name}`;
        if ((await findObject(parts.client, resourceTypes.serviceAccounts, account, parts)) !== undefined) {
          if (self === undefined) return missingRights(ofAccount, object, (right) => isAllowed(right, parts));
          if (self === userOf(account))
            return missingRights(ofAccount, object, (right) => isAllowedSelf(right, parts));
          return [{ id: 'not-checked', object, message: `${self} may not ask about its rights` } as const];
        }
        const isController = account.name === parts.account.name;
        return isController ? [{ id: 'account-missing', object, message: 'it is not there' } as const] : [];
      }),
    );
    return found.flat();
  },
};

/** What the released roles give to whom; those of the controller and its namespace are for the names that are used. */
export function neededRights(
  objects: readonly unknown[],
  account: ClusterParts['account'],
): readonly NeededRight[] {
  const placed = (namespace: string): string =>
    namespace === releasedNamespace ? account.namespace : namespace;
  const named = (name: string): string => (name === 'tekton-chains-controller' ? account.name : name);
  const roles = objects.filter((object) => ['Role', 'ClusterRole'].includes(textOf(fieldOf(object, 'kind'))));
  return objects.flatMap((binding) => {
    const roleName = textOf(fieldOf(binding, 'roleRef', 'name'));
    const where = textOf(fieldOf(binding, 'metadata', 'namespace'));
    const role = roles.find(
      (one) =>
        fieldOf(one, 'metadata', 'name') === roleName &&
        fieldOf(one, 'kind') === fieldOf(binding, 'roleRef', 'kind') &&
        textOf(fieldOf(one, 'metadata', 'namespace')) === where,
    );
    return recordsIn(fieldOf(binding, 'subjects')).flatMap((subject) =>
      recordsIn(fieldOf(role, 'rules')).flatMap((rule) =>
        attributesOf(rule).map((attributes) => ({
          account: { namespace: placed(textOf(subject['namespace'])), name: named(textOf(subject['name'])) },
          role: roleName,
          attributes: {
            ...attributes,
            ...(attributes.name === undefined ? {} : { name: named(attributes.name) }),
            ...(where === '' ? {} : { namespace: placed(where) }),
          },
        })),
      ),
    );
  });
}

function attributesOf(rule: Readonly<Record<string, unknown>>): readonly NeededRight['attributes'][] {
  const texts = (field: string): readonly string[] =>
    Array.isArray(rule[field]) ? (rule[field] as unknown[]).map(textOf) : [];
  const names = texts('resourceNames');
  return texts('apiGroups').flatMap((group) =>
    texts('resources').flatMap((path) => {
      const [resource = '', subresource] = path.split('/');
      const target = { group, resource, ...(subresource === undefined ? {} : { subresource }) };
      return texts('verbs').flatMap((verb) =>
        names.length === 0 ? [{ verb, ...target }] : names.map((name) => ({ verb, ...target, name })),
      );
    }),
  );
}

async function missingRights(
  rights: readonly NeededRight[],
  object: string,
  isGranted: (right: NeededRight) => Promise<boolean>,
): Promise<readonly Discovery[]> {
  const queue = new PQueue({ concurrency });
  const answers = await queue.addAll(rights.map((right) => () => isGranted(right)));
  return rights
    .filter((_, at) => answers[at] === false)
    .map(({ role, attributes }) => ({
      id: 'right-missing',
      object,
      message: `it may not ${describe(attributes)} (role ${role})`,
    }));
}

/** Who we are, where we may ask about nobody else; undefined where we may. */
async function findSelf([sample]: readonly NeededRight[], parts: ClusterParts): Promise<string | undefined> {
  try {
    if (sample !== undefined) await isAllowed(sample, parts);
    return undefined;
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
  try {
    const answer = await parts.client.review(resourceTypes.selfSubjectReviews, {}, parts);
    return textOf(fieldOf(answer, 'status', 'userInfo', 'username'));
  } catch (error) {
    // Kubernetes before 1.28 does not tell.
    if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return 'an unknown user';
    throw error;
  }
}

function userOf({ namespace, name }: NeededRight['account']): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

async function isAllowed({ account, attributes }: NeededRight, parts: ClusterParts): Promise<boolean> {
  const spec = {
    user: userOf(account),
    groups: [
      ...['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`],
      'system:authenticated',
    ],
    resourceAttributes: attributes,
  };
  const answer = await parts.client.review(resourceTypes.subjectAccessReviews, spec, parts);
  return fieldOf(answer, 'status', 'allowed') === true;
}

async function isAllowedSelf({ attributes }: NeededRight, parts: ClusterParts): Promise<boolean> {
  const spec = { resourceAttributes: attributes };
  const answer = await parts.client.review(resourceTypes.selfSubjectAccessReviews, spec, parts);
  return fieldOf(answer, 'status', 'allowed') === true;
}

function describe({
  verb,
  group,
  resource,
  subresource,
  name,
  namespace,
}: NeededRight['attributes']): string {
  const path = subresource === undefined ? resource : `${resource}/${subresource}`;
  const what = group === '' ? path : `${path}.${group}`;
  return `${verb} ${what}${name === undefined ? '' : ` "${name}"`}${namespace === undefined ? '' : ` in ${namespace}`}`;
}
