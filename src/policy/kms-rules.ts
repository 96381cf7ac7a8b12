import { invalidValue } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';

const prefixes = ['awskms://', 'azurekms://', 'hashivault://', 'gcpkms://'];
const awsDocumentation = 'https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id';
// With mrk- and without hyphens: keys of several regions.
const uuid = String.raw`m?r?k?-?[A-Fa-f\d]{8}-?[A-Fa-f\d]{4}-?[A-Fa-f\d]{4}-?[A-Fa-f\d]{4}-?[A-Fa-f\d]{12}`;
const arn = String.raw`arn:(?:aws|aws-us-gov|aws-cn):kms:[a-z0-9-]+:\d{12}:`;
const awsKey = new RegExp(String.raw`^awskms://[^/]*/(?:(?:${arn}key/)?${uuid}|(?:${arn})?alias/.*)$`);

/** Faults of a KMS address, by policy-controller's rules. */
export function kmsFaults(kms: string, path: string): readonly FieldFault[] {
  if (!prefixes.some((prefix) => kms.startsWith(prefix))) {
    const why = `malformed KMS format, should be prefixed by any of the supported providers: [${prefixes.join(' ')}]`;
    return [invalidValue(kms, path, why)];
  }
  const why = kms.startsWith('awskms://') ? awsFault(kms) : undefined;
  return why === undefined ? [] : [invalidValue(kms, path, why)];
}

function awsFault(kms: string): string | undefined {
  const [, , endpoint = '', keyId] = kms.split('/');
  if (keyId === undefined) {
    return `malformed AWS KMS format 'awskms://$ENDPOINT/$KEYID', should be conformant with KMS standard documented here: ${awsDocumentation}`;
  }
  // A key in the endpoint's place is a slash that was forgotten.
  if (!awsKey.test(kms) || /^(?:arn|alias)/.test(endpoint)) {
    return 'kms key should be in the format awskms://[ENDPOINT]/[ID/ALIAS/ARN] (endpoint optional)';
  }
  const colons = endpoint.replace(/^\[.*\]/, '').split(':').length - 1;
  if (endpoint !== '' && colons !== 1) {
    return `malformed endpoint: address ${endpoint}: ${colons === 0 ? 'missing port in address' : 'too many colons in address'}`;
  }
  return keyId.startsWith('arn:')
    ? undefined
    : 'failed to parse either key or alias arn: arn: invalid prefix';
}
