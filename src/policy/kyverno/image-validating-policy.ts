import type { CompiledClusterPolicy } from '../compiled-policy.ts';
import { allOf, anyOf, celString } from './cel-text.ts';
import { exportAuthority } from './exported-authority.ts';
import type { ExportedAuthority } from './exported-authority.ts';
import { celOfGlobs, nameOfImage, objectScopeOf } from './exported-scope.ts';
import type { ObjectScope } from './exported-scope.ts';
import { celOfWholePolicy } from './exported-whole-policy.ts';
import { Limitations } from './limitation.ts';
import type { Limitation, NoteLimitation } from './limitation.ts';
import type { ExportOptions, ImageValidatingPolicy, KyvernoValidation } from './kyverno-types.ts';
import { everyImage, imageExtractors, pinnedImage, withoutImageVolumes } from './pod-images.ts';

/** A policy for Kyverno, and what it demands beyond the one that it was made from. */
export interface ExportedPolicy {
  readonly policy: ImageValidatingPolicy;
  readonly limitations: readonly Limitation[];
}

/** Marks what is kept by us; its value is the ClusterImagePolicy, or `unmatched`. */
export const exportedLabels = { 'app.kubernetes.io/managed-by': 'chainwright' } as const;

/** Names the ClusterImagePolicy that a policy was made from. */
export const exportedFrom = 'policy.chainwright.dev/exported-from';

const timeoutSeconds = 30;
const maxMessage = 1000;

/**
 * Makes an ImageValidatingPolicy that admits nothing which the ClusterImagePolicy denies. Pure. Where Kyverno cannot say
 * what the policy says, it demands more, and `limitations` names it.
 */
export function exportToKyverno(compiled: CompiledClusterPolicy, options: ExportOptions): ExportedPolicy {
  const limitations = new Limitations();
  const { note } = limitations;
  noteAlways(note, options);
  noteExceptions(compiled, note, options);

  const authorities = compiled.authorities.map((authority, index) =>
    exportAuthority(authority, index, { evaluation: compiled.evaluation, tuf: options.tuf, note }),
  );
  const policy = assemble(
    {
      name: compiled.name,
      from: compiled.name,
      actions: [compiled.mode === 'warn' ? 'Warn' : 'Deny'],
      scope: objectScopeOf(compiled.match, note),
      authorities,
      validations: [imageVolumes, ...vouching(compiled, authorities, note)],
    },
    options,
  );
  return { policy, limitations: limitations.list() };
}

function noteAlways(note: NoteLimitation, { unchangedImages }: ExportOptions): void {
  note({ code: 'image-volumes', message: 'objects with image volumes are denied' });
  note({
    code: 'image-index',
    message: 'of an image index Kyverno reads the image for linux/amd64; one without it is denied',
  });
  note({
    code: 'tags',
    message:
      'an object with one tag twice and another image beside it runs into the time limit of Kyverno 1.19.1',
  });
  const updates =
    unchangedImages === 'admit'
      ? 'an update that changes the spec but no image, a smaller number of replicas too, is judged again'
      : 'a smaller number of replicas is judged again';
  note({ code: 'updates', message: updates });
}

function noteExceptions(
  policy: CompiledClusterPolicy,
  note: NoteLimitation,
  { exceptions }: ExportOptions,
): void {
  if (exceptions === 'off' || policy.exceptions === 'forbidden') return;
  note({ code: 'exceptions', message: 'ImagePolicyExceptions let no image off it' });
}

const imageVolumes: KyvernoValidation = {
  expression: withoutImageVolumes,
  message: 'image volumes cannot be judged by Kyverno (image-volumes)',
};

function vouching(
  compiled: CompiledClusterPolicy,
  authorities: readonly ExportedAuthority[],
  note: NoteLimitation,
): readonly KyvernoValidation[] {
  const { name, fault, whole, evaluation, globs } = compiled;
  const inScope = isInScope(celOfGlobs(globs, 'n'));
  if (fault !== undefined) {
    note({
      code: 'policy-broken',
      message: `the policy itself is broken: ${fault.message}; it denies what it is about`,
    });
    return [
      {
        expression: everyImage(`!${inScope}`),
        message: `ClusterImagePolicy ${name} itself is broken: ${fault.code}`,
      },
    ];
  }
  const vouched = anyOf(authorities.map(({ expression }) => expression));
  const agreed = whole === undefined ? 'true' : celOfWholePolicy(whole, { authorities, evaluation, note });
  const names = authorities.map((authority) => authority.name).join(', ');
  const message = `ClusterImagePolicy ${name}: an image has not what any of its authorities asks for (${names})`;
  return [
    {
      expression: everyImage(anyOf([`!${inScope}`, allOf([vouched, agreed])])),
      message: message.slice(0, maxMessage),
    },
  ];
}

/** Whether an image, in the variable `i`, is one that `globs`, about its name in the variable `n`, match; else an error. */
export function isInScope(globs: string): string {
  const name = nameOfImage('parseImageReference(i)');
  return `cel.bind(n, ${name}, ${globs})`;
}

/** What differs between exported policies. */
export interface PolicyContent {
  readonly name: string;
  readonly from: string;
  readonly actions: ImageValidatingPolicy['spec']['validationActions'];
  readonly scope: ObjectScope;
  readonly authorities: readonly ExportedAuthority[];
  readonly validations: readonly KyvernoValidation[];
}

/**
 * A policy about every image of an object: Kyverno reads the images that a policy selects before it looks at any, and hangs
 * where a later policy selects another one. Which images a policy is about is said in its checks.
 */
export function assemble(content: PolicyContent, options: ExportOptions): ImageValidatingPolicy {
  const { authorities, scope } = content;
  return {
    apiVersion: `policies.kyverno.io/${options.version}`,
    kind: 'ImageValidatingPolicy',
    metadata: {
      name: content.name,
      labels: exportedLabels,
      annotations: { [exportedFrom]: content.from },
    },
    spec: {
      failurePolicy: 'Fail',
      validationActions: content.actions,
      matchConstraints: { ...scope, namespaceSelector: options.namespaceSelector },
      matchConditions: [{ name: 'brings-images', expression: bringsImages(options) }],
      matchImageReferences: [{ expression: 'ref != ""' }],
      images: imageExtractors,
      attestors: authorities.flatMap(({ attestors }) => attestors),
      attestations: authorities.flatMap(({ attestations }) => attestations),
      validations: [pinned, ...content.validations],
      validationConfigurations: { mutateDigest: true, verifyDigest: true, required: false },
      webhookConfiguration: { timeoutSeconds },
      autogen: { podControllers: { controllers: [] } },
    },
  };
}

const pinned: KyvernoValidation = {
  expression: everyImage(`i.matches(${celString(pinnedImage)})`),
  message: 'an image is not written as HOST/PATH@sha256:HEX',
};

/** An object on its way out must not be held up by what it runs already. */
function bringsImages({ unchangedImages }: ExportOptions): string {
  const isLeaving = 'has(oldObject.metadata.deletionTimestamp)';
  const mayStay = allOf([
    'request.operation == "UPDATE"',
    'oldObject != null',
    ...(unchangedImages === 'admit' ? [] : [isLeaving]),
    'object.spec == oldObject.spec',
  ]);
  return `!${mayStay}`;
}
