const switches = new Set(
  [
    'allow-certificate-chain',
    'allow-http-registry',
    'allow-insecure-registry',
    'experimental-oci11',
    'insecure-ignore-sct',
    'insecure-ignore-tlog',
    'insecure-skip-verify',
    'issue-certificate',
    'k8s-keychain',
    'local-image',
    'no-upload',
    'offline',
    'oidc-disable-ambient-providers',
    'private-infrastructure',
    'record-creation-timestamp',
    'recursive',
    'replace',
    'sk',
    'use-signed-timestamps',
    'yes',
  ].map((name) => `--${name}`),
);
const valued = new Set(
  ['b64', 'check-claims', 'new-bundle-format', 'tlog-upload', 'upload', 'use-signing-config'].map(
    (name) => `--${name}`,
  ),
);
const words = new Set(['true', 'false']);

/**
 * Arguments with cosign's switches as commander takes them. A switch of Go's flags may be written alone, `=true` or
 * `=false`: those that stand for themselves lose the value, or go where it is false; those with a value get one.
 */
export function withGoFlags(args: readonly string[]): readonly string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  return args.flatMap((arg, index) => {
    if (index >= end) return [arg];
    const [name = '', value] = arg.split('=');
    if (switches.has(name) && value === 'true') return [name];
    if (switches.has(name) && value === 'false') return [];
    const isBare = valued.has(name) && value === undefined && !words.has(args[index + 1] ?? '');
    return isBare ? [`${name}=true`] : [arg];
  });
}
