import { boolean, listItems, text, without } from './chains-config-reading.ts';
import type { ChainsKeyReader } from './chains-config-reading.ts';

/** One key of Chains' ConfigMap and what becomes of it here; docs/settings.md holds the same table in words. */
export interface ChainsKey {
  readonly key: string;
  /** `partly`: some of the values that Chains takes are refused. */
  readonly treatment: 'honoured' | 'partly' | 'refused' | 'no effect';
  readonly read: ChainsKeyReader;
}

const laterStorages = ['gcs', 'docdb', 'grafeas', 'kafka', 'pubsub', 'archivista'];

const provenanceFormat: ChainsKeyReader = (key, value, reading) => {
  if (value === 'in-toto' || value === 'slsa/v1') reading.set(key, 'provenance.format', value);
  else if (value === 'slsa/v2alpha3' || value === 'slsa/v2alpha4') {
    reading.refuse(key, 'provenance.format', `${value} (SLSA provenance v1) is not made yet; slsa/v1 is`);
  } else reading.refuse(key, 'provenance.format', `"${value.slice(0, 40)}" is no format that Chains knows`);
};

const provenanceStorage: ChainsKeyReader = (key, value, reading) => {
  const items = listItems(value);
  if (items.length === 0) reading.set(key, 'provenance.enabled', false);
  else if (
    !refuseStorages(items, (why) => {
      reading.refuse(key, 'provenance.storage', why);
    })
  ) {
    reading.set(key, 'provenance.storage', [...new Set(items)]);
  }
};

const signatureStorage: ChainsKeyReader = (key, value, reading) => {
  const items = listItems(value);
  if (items.length === 0) reading.set(key, 'signature.enabled', false);
  else if (
    refuseStorages(items, (why) => {
      reading.refuse(key, 'signature.enabled', why);
    })
  )
    return;
  else if (!items.includes('oci')) {
    reading.refuse(key, 'signature.enabled', 'signatures of images go to the registry only: oci is missing');
  } else if (items.includes('tekton')) {
    reading.ignore(key, 'signatures of images go to the registry only, so tekton has no effect');
  }
};

function refuseStorages(items: readonly string[], refuse: (why: string) => void): boolean {
  const strange = items.filter((item) => item !== 'oci' && item !== 'tekton');
  for (const item of strange) {
    const known = laterStorages.includes(item);
    refuse(
      known
        ? `storage ${item} is not supported yet`
        : `"${item.slice(0, 40)}" is no storage that Chains knows`,
    );
  }
  return strange.length > 0;
}

function signerOf(part: 'provenance' | 'signature'): ChainsKeyReader {
  return (key, value, reading) => {
    if (value === 'none') reading.set(key, `${part}.enabled`, false);
    else if (value === 'kms') reading.refuse(key, 'signer.type', 'keys in a KMS are not supported yet');
    else if (value !== 'x509')
      reading.refuse(key, 'signer.type', `"${value.slice(0, 40)}" is no signer that Chains knows`);
  };
}

const pipelineRuns: ChainsKeyReader = (key, value, reading) => {
  const off = key.endsWith('.signer') ? value === 'none' : value === '';
  if (!off) reading.ignore(key, 'PipelineRuns are not signed yet, so the key has no effect');
};

const signatureFormat: ChainsKeyReader = (key, value, reading) => {
  if (value !== 'simplesigning') {
    reading.refuse(
      key,
      'signature.enabled',
      `"${value.slice(0, 40)}" is no format that Chains knows; simplesigning is`,
    );
  }
};

const encodingFormat: ChainsKeyReader = (key, value, reading) => {
  if (value === 'dsse') reading.set(key, 'storage.layouts', { tags: true, referrers: false });
  else if (value === 'sigstore-bundle') reading.set(key, 'storage.layouts', { tags: false, referrers: true });
  else reading.refuse(key, 'storage.layouts', `"${value.slice(0, 40)}" is neither dsse nor sigstore-bundle`);
};

const transparency: ChainsKeyReader = (key, value, reading) => {
  if (value === 'manual') {
    reading.refuse(
      key,
      'log.enabled',
      'log entries for annotated runs only (manual) are not supported; say true or false',
    );
    return;
  }
  reading.set(key, 'log.enabled', value === 'true');
  if (value !== 'true' && value !== 'false' && value !== '') {
    reading.ignore(key, `"${value.slice(0, 40)}" is neither true nor manual: off, as Chains reads it`);
  }
};

const provider: ChainsKeyReader = (key, value, reading) => {
  if (['', 'filesystem', 'filesystem-custom-path'].includes(value)) return;
  reading.refuse(
    key,
    'signer.fulcio.identityTokenFile',
    `identity tokens come from a file or the API server, not from "${value.slice(0, 40)}"`,
  );
};

// Chains' default, written out in many a ConfigMap: there it is asked only in a browser login, which no controller does.
const browserIssuer = 'https://oauth2.sigstore.dev/auth';

const issuer: ChainsKeyReader = (key, value, reading) => {
  if (value === browserIssuer)
    reading.ignore(key, 'the issuer of browser logins does not issue our token, so it is not asked for');
  else text('signer.fulcio.issuer')(key, value, reading);
};

const managedBy: ChainsKeyReader = (key, value, reading) => {
  const items = listItems(value);
  if (items.includes('')) reading.refuse(key, 'controller.managedBy', 'has an empty item');
  else reading.set(key, 'controller.managedBy', items);
};

const gcs = without('storage gcs is not supported yet');
const docdb = without('storage docdb is not supported yet');
const grafeas = without('storage grafeas is not supported yet');
const pubsub = without('storage pubsub is not supported yet');
const kms = without('keys in a KMS are not supported yet');

/** Every key that Chains reads. */
export const chainsKeys: readonly ChainsKey[] = [
  { key: 'artifacts.taskrun.format', treatment: 'partly', read: provenanceFormat },
  { key: 'artifacts.taskrun.storage', treatment: 'partly', read: provenanceStorage },
  { key: 'artifacts.taskrun.signer', treatment: 'partly', read: signerOf('provenance') },
  { key: 'artifacts.pipelinerun.format', treatment: 'refused', read: pipelineRuns },
  { key: 'artifacts.pipelinerun.storage', treatment: 'refused', read: pipelineRuns },
  { key: 'artifacts.pipelinerun.signer', treatment: 'refused', read: pipelineRuns },
  {
    key: 'artifacts.pipelinerun.enable-deep-inspection',
    treatment: 'refused',
    read: boolean((key, enabled, reading) => {
      if (enabled) pipelineRuns(key, 'true', reading);
    }),
  },
  { key: 'artifacts.oci.format', treatment: 'honoured', read: signatureFormat },
  { key: 'artifacts.oci.storage', treatment: 'partly', read: signatureStorage },
  { key: 'artifacts.oci.signer', treatment: 'partly', read: signerOf('signature') },
  { key: 'storage.gcs.bucket', treatment: 'refused', read: gcs },
  { key: 'storage.oci.repository', treatment: 'honoured', read: text('storage.repository') },
  {
    key: 'storage.oci.repository.insecure',
    treatment: 'honoured',
    read: boolean((key, insecure, reading) => {
      if (insecure) reading.set(key, 'registries', [{ host: '*', insecure }]);
    }),
  },
  { key: 'storage.oci.encoding-format', treatment: 'honoured', read: encodingFormat },
  { key: 'storage.docdb.url', treatment: 'refused', read: docdb },
  { key: 'storage.docdb.mongo-server-url', treatment: 'refused', read: docdb },
  { key: 'storage.docdb.mongo-server-url-dir', treatment: 'refused', read: docdb },
  { key: 'storage.docdb.mongo-server-url-path', treatment: 'refused', read: docdb },
  {
    key: 'storage.archivista.url',
    treatment: 'refused',
    read: without('storage archivista is not supported yet'),
  },
  { key: 'storage.grafeas.projectid', treatment: 'refused', read: grafeas },
  { key: 'storage.grafeas.noteid', treatment: 'refused', read: grafeas },
  { key: 'storage.grafeas.notehint', treatment: 'refused', read: grafeas },
  { key: 'storage.pubsub.provider', treatment: 'refused', read: pubsub },
  { key: 'storage.pubsub.topic', treatment: 'refused', read: pubsub },
  { key: 'storage.pubsub.kafka.bootstrap.servers', treatment: 'refused', read: pubsub },
  { key: 'transparency.enabled', treatment: 'partly', read: transparency },
  { key: 'transparency.url', treatment: 'honoured', read: text('log.url') },
  { key: 'signers.kms.kmsref', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.address', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.token', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.token-path', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.oidc.path', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.oidc.role', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.oidc.token-path', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.spire.sock', treatment: 'refused', read: kms },
  { key: 'signers.kms.auth.spire.audience', treatment: 'refused', read: kms },
  {
    key: 'signers.x509.fulcio.enabled',
    treatment: 'honoured',
    read: boolean((key, enabled, reading) => {
      reading.set(key, 'signer.type', enabled ? 'keyless' : 'key');
    }),
  },
  { key: 'signers.x509.fulcio.address', treatment: 'honoured', read: text('signer.fulcio.url') },
  { key: 'signers.x509.fulcio.issuer', treatment: 'honoured', read: issuer },
  { key: 'signers.x509.fulcio.provider', treatment: 'partly', read: provider },
  {
    key: 'signers.x509.identity.token.file',
    treatment: 'honoured',
    read: text('signer.fulcio.identityTokenFile'),
  },
  {
    key: 'signers.x509.tuf.mirror.url',
    treatment: 'refused',
    read: without('keys come from trustedRoot.file, not from a TUF mirror'),
  },
  { key: 'builder.id', treatment: 'honoured', read: text('provenance.builderId') },
  {
    key: 'builddefinition.buildtype',
    treatment: 'no effect',
    read: without('it concerns SLSA provenance v1 only, which is not made yet'),
  },
  { key: 'filter.managed-by', treatment: 'honoured', read: managedBy },
];
