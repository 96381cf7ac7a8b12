import { invalidValue } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';

const prefixes = ['awskms://', 'azurekms://', 'hashivault://', 'gcpkms://'];
const awsDocumentation =
  'https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html#API_DescribeKey_RequestSyntax';
const uuid = String.raw`\w{8}-\w{4}-\w{4}-\w{4}-\w{12}`;
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
  if (!awsKey.test(kms)) {
    return 'kms key should be in the format awskms://[ENDPOINT]/[ID/ALIAS/ARN] (endpoint optional)';
  }
  const colons = endpoint.split(':').length - 1;
  if (endpoint !== '' && colons !== 1) {
    return `malformed endpoint: address ${endpoint}: ${colons === 0 ? 'missing port in address' : 'too many colons in address'}`;
  }
  const prefix = 'failed to parse either key or alias arn: arn:';
  if (!keyId.startsWith('arn:')) return `${prefix} invalid prefix`;
  return keyId.split(':').length < 6 ? `${prefix} not enough sections` : undefined;
}
