import { hash } from 'node:crypto';
import { X509Certificate } from '@sigstore/core';
import { encodePem } from '../model/signature.ts';
import { readEvidence } from '../signing/evidence-material.ts';
import type { AuthorityOutcome } from './authority-judgement.ts';
import type { CompiledWholePolicy } from './compiled-policy.ts';
import type { VerifiedPiece } from './evidence-finding.ts';
import type { ImageConfigs } from './image-configs.ts';

/** Fulcio's extensions for GitHub workflows (sigstore/fulcio, docs/oid-info.md), by the name in the document. */
const workflowExtensions = {
  githubWorkflowTrigger: '1.3.6.1.4.1.57264.1.2',
  githubWorkflowSha: '1.3.6.1.4.1.57264.1.3',
  githubWorkflowName: '1.3.6.1.4.1.57264.1.4',
  githubWorkflowRepo: '1.3.6.1.4.1.57264.1.5',
  githubWorkflowRef: '1.3.6.1.4.1.57264.1.6',
} as const;

/**
 * The document that the policy of a whole ClusterImagePolicy is evaluated on (policy-controller's PolicyResult): the
 * authorities that vouched, with their evidence, and what of the object and the image's configs the policy asks for.
 */
export function wholeDocument(
  outcomes: readonly AuthorityOutcome[],
  {
    object,
    config,
  }: { readonly object: Readonly<Record<string, unknown>>; readonly config?: ImageConfigs | undefined },
  includes: CompiledWholePolicy['includes'],
): Buffer {
  const vouching = outcomes.filter(({ result }) => result.passed);
  const authorityMatches = Object.fromEntries(
    vouching.map((outcome) => [outcome.result.authority, matchOf(outcome)]),
  );
  const { apiVersion, kind, metadata, spec } = object;
  return Buffer.from(
    JSON.stringify({
      authorityMatches,
      ...(config === undefined ? {} : { config }),
      ...(includes.includeSpec === true ? { spec } : {}),
      ...(includes.includeObjectMeta === true ? { metadata } : {}),
      ...(includes.includeTypeMeta === true ? { typemeta: { apiVersion, kind } } : {}),
    }),
  );
}

function matchOf({ result, signatures, attestations }: AuthorityOutcome): object {
  if (result.kind === 'static') return { static: true };
  const attested = [...attestations].map(([name, pieces]) => [name, pieces.map(attestationOf)] as const);
  return {
    ...(signatures.length === 0 ? {} : { signatures: signatures.map(signatureOf) }),
    ...(attested.length === 0 ? {} : { attestations: Object.fromEntries(attested) }),
  };
}

function signatureOf({ piece, verified: { signer } }: VerifiedPiece): object {
  const { signature } = readEvidence(piece.evidence);
  if (signer.kind === 'key') return { id: hash('sha256', signature) };
  const certificate = Buffer.from(encodePem('CERTIFICATE', signer.certificateDer));
  return {
    id: hash('sha256', Buffer.concat([signature, certificate])),
    ...signer.identity,
    ...workflowOf(signer.certificateDer),
  };
}

function attestationOf(found: VerifiedPiece): object {
  const { claim } = found;
  if (claim.kind !== 'attestation') return signatureOf(found);
  const { predicateType } = claim.statement;
  return { ...signatureOf(found), predicateType, digest: found.piece.ref.replace(/^.*@/, '') };
}

function workflowOf(der: Uint8Array): object {
  const certificate = X509Certificate.parse(Buffer.from(der));
  const found = Object.entries(workflowExtensions).flatMap(([name, oid]) => {
    const value = certificate.extension(oid)?.value.toString('utf8');
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}
