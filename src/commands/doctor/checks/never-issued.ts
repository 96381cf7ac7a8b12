import { resourceTypes } from '../../../kube/resource-type.ts';
import { identityOf } from '../../../policy/authority-signer.ts';
import { readClusterImagePolicy } from '../../../policy/cluster-image-policy.ts';
import { isMatch } from '../../../signing/certificate-identity.ts';
import type { CertificateIdentity } from '../../../signing/certificate-identity.ts';
import { listObjects, unlessForbidden } from '../cluster-objects.ts';
import type { ClusterParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

/**
 * Policies that ask our issuer for somebody whom Fulcio does not make of us, and accept nobody else of it; a notice where
 * policies may not be looked at. Throws ERR_KUBE_*.
 */
export async function neverIssued(
  found: CertificateIdentity,
  parts: Pick<ClusterParts, 'client' | 'signal' | 'account'>,
): Promise<readonly Discovery[]> {
  return unlessForbidden(findNeverIssued(found, parts), 'subjects that policies ask for');
}

async function findNeverIssued(
  found: CertificateIdentity,
  parts: Pick<ClusterParts, 'client' | 'signal' | 'account'>,
): Promise<readonly Discovery[]> {
  const policies = await listObjects(parts, resourceTypes.clusterImagePolicies);
  return policies.flatMap((object): readonly Discovery[] => {
    const { policy } = readClusterImagePolicy(object, parts.account.namespace);
    const wanted = (policy?.authorities ?? []).flatMap(({ keyless }) => keyless?.identities ?? []);
    const ofIssuer = wanted.filter((identity) => isMatch(identityOf(identity).issuer, found.issuer));
    const isMet = ofIssuer.some((identity) => isMatch(identityOf(identity).subject, found.subject));
    if (ofIssuer.length === 0 || isMet) return [];
    const subjects = ofIssuer.map(({ subject = '', subjectRegExp = '' }) => subject || subjectRegExp);
    const message = `it asks ${found.issuer} for ${subjects.join(' or ')}; Fulcio writes ${found.subject}`;
    return [{ id: 'subject-never-issued', object: `ClusterImagePolicy ${object.metadata.name}`, message }];
  });
}
