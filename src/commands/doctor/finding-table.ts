/** An error keeps something from working; a warning is hardly meant, or will become one; a notice is only said. */
export type Severity = 'error' | 'warning' | 'notice';

interface FindingKind {
  readonly severity: Severity;
  /** What is wrong, as docs/doctor.md says it. */
  readonly meaning: string;
  readonly remedy: string;
}

const kinds = {
  unreachable: {
    severity: 'error',
    meaning: 'a server that a check has to ask does not answer',
    remedy:
      'Start the server, correct its address in the settings, or let the NetworkPolicy and its certificate authority (SSL_CERT_FILE) in.',
  },
  'check-failed': {
    severity: 'error',
    meaning: 'a check could not be made; the message has the error code, which docs/errors.md explains',
    remedy: 'Do what docs/errors.md says for the code in the message.',
  },
  'not-checked': {
    severity: 'notice',
    meaning: 'the account that doctor runs as may not look at something',
    remedy: 'Run doctor with the kubeconfig of a cluster administrator as well.',
  },
  'crd-missing': {
    severity: 'error',
    meaning: 'a type of ours is not installed',
    remedy: 'Run: kubectl apply --server-side -k config/cluster',
  },
  'crd-not-served': {
    severity: 'error',
    meaning: 'the API server does not serve the version that we read and write',
    remedy: 'Let the version be served: kubectl apply --server-side --force-conflicts -k config/cluster',
  },
  'crd-outdated': {
    severity: 'error',
    meaning: 'a type lacks fields of this release, which the API server then drops without a word',
    remedy:
      'Apply the types of this release: kubectl apply --server-side --force-conflicts -k config/cluster',
  },
  'account-missing': {
    severity: 'error',
    meaning: 'the ServiceAccount that the controller runs and signs as is not there',
    remedy: 'Apply an overlay (docs/install.md), or name another one in --namespace and --service-account.',
  },
  'right-missing': {
    severity: 'error',
    meaning: 'a ServiceAccount of ours lacks a right that it uses',
    remedy: 'Apply the manifests of this release again (docs/install.md, Rights, tells what each is for).',
  },
  'settings-invalid': {
    severity: 'error',
    meaning: 'ChainwrightConfig, chains-config, environment or flags hold something that cannot be used',
    remedy:
      'Correct the fields that the message names; "chainwright settings show --cluster" tells the same.',
  },
  'settings-not-in-force': {
    severity: 'error',
    meaning: 'the controller or the webhook does not go by the ChainwrightConfig as it is now',
    remedy: 'Read the conditions of "kubectl get chainwrightconfig default -o yaml", and see that both run.',
  },
  'settings-key-ignored': {
    severity: 'warning',
    meaning: 'a key of chains-config has no effect here, or is unknown',
    remedy: 'Correct or remove the key; docs/settings.md lists what is read.',
  },
  'signing-off': {
    severity: 'warning',
    meaning: 'the settings say that nothing is signed',
    remedy: 'Set signer.type of the ChainwrightConfig to keyless or key.',
  },
  'signing-policy-refused': {
    severity: 'warning',
    meaning: 'a SigningPolicy asks for what the cluster does not allow, so it does not count',
    remedy: 'Correct the fields that its status names (docs/settings.md, SigningPolicy).',
  },
  'issuer-mismatch': {
    severity: 'error',
    meaning: 'tokens of the cluster name another issuer than signer.fulcio.issuer, so none is sent to Fulcio',
    remedy:
      'Set signer.fulcio.issuer to the issuer that the message names, or correct --service-account-issuer.',
  },
  'issuer-unreadable': {
    severity: 'warning',
    meaning: "the issuer's OpenID configuration cannot be read from here, or is that of another issuer",
    remedy:
      'Let Fulcio reach ISSUER/.well-known/openid-configuration without credentials (ClusterRole system:service-account-issuer-discovery).',
  },
  'audience-missing': {
    severity: 'notice',
    meaning:
      'the tokens that Pods have by default are not for Fulcio: cosign sign with that token is refused',
    remedy:
      'Mount a projected token with the audience sigstore; or, with its risks, add sigstore to --api-audiences of the API server.',
  },
  'fulcio-issuer-unknown': {
    severity: 'error',
    meaning: "Fulcio does not know the issuer of the cluster's tokens",
    remedy: 'Add the issuer to the oidc-issuers of Fulcio (docs/install.md, What to settle).',
  },
  'fulcio-audience': {
    severity: 'error',
    meaning: 'Fulcio wants tokens for another audience than signer.fulcio.audience',
    remedy: 'Set signer.fulcio.audience, and the audience of the projected token, to what Fulcio wants.',
  },
  'fulcio-refused': {
    severity: 'error',
    meaning: "Fulcio gives no certificate for the controller's token",
    remedy: "Read Fulcio's reason in the message; look that it can read the issuer's keys, and at its log.",
  },
  'certificate-untrusted': {
    severity: 'error',
    meaning: "Fulcio's certificates do not lead to an authority of the trust root",
    remedy: 'Take the chain of this Fulcio into the trust root: chainwright trust-root add --help',
  },
  'sct-untrusted': {
    severity: 'error',
    meaning: 'no certificate transparency log of the trust root vouches for the certificates',
    remedy: "Take the log's key into the trust root, or give Fulcio its --ct-log-url.",
  },
  'subject-never-issued': {
    severity: 'error',
    meaning: 'a policy asks our issuer for a subject that Fulcio never writes into our certificates',
    remedy:
      'Write the subject that the message names into the policy, or let Fulcio write the other one: issuer type ci-provider with a subject template.',
  },
  'trust-root-missing': {
    severity: 'warning',
    meaning: 'there is no trust root for servers of your own: our evidence cannot be told from others',
    remedy: 'Make a trusted_root.json (chainwright trust-root create) and name it in trustedRoot.file.',
  },
  'trust-root-invalid': {
    severity: 'error',
    meaning: 'the trust root cannot be used, or has a part that cannot',
    remedy: 'Mend it; "chainwright trust-root verify FILE" tells all that is wrong with it.',
  },
  'log-key-untrusted': {
    severity: 'error',
    meaning: 'a transparency log that we write to signs with a key that is not in the trust root',
    remedy: "Take the log's present key into the trust root: chainwright trust-root add --help",
  },
  'timestamp-untrusted': {
    severity: 'error',
    meaning: 'a timestamp authority signs with a certificate that is not in the trust root',
    remedy: 'Take its chain into the trust root: chainwright trust-root add --help',
  },
  'registry-authority': {
    severity: 'error',
    meaning: "the registry's certificate is not trusted",
    remedy:
      'Name its authority in registries[].ca of the ChainwrightConfig, or mount it (component private-ca).',
  },
  'registry-pull-denied': {
    severity: 'error',
    meaning: 'the registry does not let us read',
    remedy: 'Give the account pull rights, in the Secret registry-credentials or that of the run.',
  },
  'registry-push-denied': {
    severity: 'error',
    meaning: 'the registry does not let us write',
    remedy: 'Give the account push rights; in Harbor a robot account of the project.',
  },
  'registry-referrers': {
    severity: 'error',
    meaning: 'the registry does not list what was attached to an image',
    remedy: 'Exempt sha256-* tags from immutable tag rules, or set storage.layouts.referrers to false.',
  },
  'webhook-missing': {
    severity: 'error',
    meaning: 'there is no webhook configuration: nothing is judged',
    remedy: 'Apply an overlay (docs/install.md), or name yours in --webhook-name.',
  },
  'webhook-bundle': {
    severity: 'error',
    meaning: 'the caBundle of a webhook configuration does not vouch for the certificate that we serve',
    remedy: 'See that the webhook runs and may patch its configurations: it keeps the caBundle by itself.',
  },
  'webhook-certificate-expiry': {
    severity: 'error',
    meaning: 'the serving certificate has run out, or does within a day',
    remedy: 'See that the webhook runs and may update the Secret: it renews its certificate by itself.',
  },
  'webhook-fails-open': {
    severity: 'error',
    meaning: 'failurePolicy is not Fail: when the webhook does not answer, everything is admitted',
    remedy: 'Set failurePolicy to Fail, as config/webhook has it.',
  },
  'webhook-own-namespace': {
    severity: 'error',
    meaning: "the webhook's own namespace is judged too, so that it cannot start while it is down",
    remedy: 'Take the label off that namespace, or leave it out in the namespaceSelector.',
  },
  'webhook-unreachable': {
    severity: 'error',
    meaning: 'the API server cannot call the webhook',
    remedy: 'See that its Pods are ready, and that Service, port and NetworkPolicy let the API server in.',
  },
  'webhook-admits-all': {
    severity: 'error',
    meaning: 'a Pod of an image that does not exist is admitted to a namespace that is to be judged',
    remedy: 'Look at rules and selectors of the webhook configuration, and at no-match-policy.',
  },
  'namespace-none-judged': {
    severity: 'warning',
    meaning: 'no namespace carries the label: no Pod is judged',
    remedy: 'Run: kubectl label namespace NAME sigstore-policy=enforce',
  },
  'policy-none': {
    severity: 'warning',
    meaning: 'namespaces are judged, and there is no policy: every image is denied there',
    remedy: 'Apply a ClusterImagePolicy, as config/samples has one.',
  },
  'policy-broken': {
    severity: 'error',
    meaning: 'a policy cannot be used, and denies what it matches',
    remedy: 'Correct what the message names; "chainwright policy lint" tells all of it.',
  },
  'policy-trust-root': {
    severity: 'error',
    meaning: 'a policy names a TrustRoot that is not there',
    remedy: 'Apply the TrustRoot, or correct trustRootRef.',
  },
  'policy-glob': {
    severity: 'warning',
    meaning: 'a glob of a policy matches no image',
    remedy:
      'Write the glob as docs/admission.md says: with the registry, without a tag, ending in * or a digest.',
  },
  'clock-skew': {
    severity: 'error',
    meaning:
      'the clock of a server is more than half a minute from ours: certificates count too early or late',
    remedy: 'Let both machines follow a time server.',
  },
  'lease-stale': {
    severity: 'error',
    meaning: 'nobody renews the Leases of a group of replicas: none of them works',
    remedy: 'See that the replicas run, and may update leases (docs/install.md, Rights).',
  },
  'monitor-absent': {
    severity: 'error',
    meaning: 'a LogMonitor has no status: nobody follows the log',
    remedy: 'Apply config/monitor, and see that it runs.',
  },
  'monitor-broken': {
    severity: 'error',
    meaning: 'a log cannot be followed',
    remedy: 'Do what the message says; docs/monitor.md has more.',
  },
  'monitor-behind': {
    severity: 'warning',
    meaning: 'the log was not read to its end',
    remedy: 'Wait while the monitor catches up; if it does not, look into its log.',
  },
  'monitor-alarm': {
    severity: 'error',
    meaning: 'there is an alarm that nobody looked into: somebody may have signed as us',
    remedy: 'Look into it as docs/monitor.md says, then count it in spec.acknowledgedAlarms.',
  },
  'run-unsigned': {
    severity: 'warning',
    meaning: 'runs that ended a while ago are neither signed nor given up, nor left unsigned on purpose',
    remedy:
      'Read chainwright.dev/error of the run; see that the controller runs. Those of its absence: chainwright backfill.',
  },
  'run-held': {
    severity: 'error',
    meaning: 'deleted runs are held by our finalizer longer than controller.holdDeletion',
    remedy:
      'See that the controller runs; without it, take the finalizer off as docs/install.md, Uninstall, says.',
  },
  'chains-running': {
    severity: 'error',
    meaning: 'Tekton Chains runs beside us: every run is signed twice, and the finalizers are fought over',
    remedy: 'Scale its Deployment to zero (docs/install.md, From Tekton Chains).',
  },
} as const satisfies Readonly<Record<string, FindingKind>>;

/** Stable, for scripts. */
export type FindingId = keyof typeof kinds;

/** Everything that doctor can find, with its remedy: one line each; docs/doctor.md has the same. */
export const findingTable: Readonly<Record<FindingId, FindingKind>> = kinds;

/** What a check found, before the table's words are added. */
export interface Discovery {
  readonly id: FindingId;
  /** The object at fault: `Kind NAMESPACE/NAME`, or an address. */
  readonly object: string;
  /** What is wrong with this very object. */
  readonly message: string;
}

/** Something that doctor found. */
export interface Finding extends Discovery {
  readonly severity: Severity;
  readonly check: string;
  readonly remedy: string;
}
