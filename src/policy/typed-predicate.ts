import { AppError } from '../model/errors.ts';

/** The short names of predicate types whose predicates policy-controller reads into Go types before it judges them. */
export type TypedPredicateName = 'slsaprovenance' | 'link' | 'vuln';

/** Gives a member as Go's encoding/json writes it after reading it; `absent` is what stands for one that isn't there. */
interface Member {
  readonly absent: unknown;
  readonly omitsEmpty: boolean;
  readonly read: (value: unknown, path: string) => unknown;
}

const text: Member = { absent: '', omitsEmpty: false, read: ofType('string') };
const flag: Member = { absent: false, omitsEmpty: false, read: ofType('boolean') };
const anything: Member = { absent: null, omitsEmpty: false, read: (value) => value };
const instant: Member = { absent: '0001-01-01T00:00:00Z', omitsEmpty: false, read: readInstant };
const texts = listOf(text);
const digests = mapOf(text);
const anyMap = mapOf(anything);

const slsaProvenance = structOf({
  builder: structOf({ id: text }),
  buildType: text,
  invocation: structOf({
    configSource: structOf({ uri: optional(text), digest: optional(digests), entryPoint: optional(text) }),
    parameters: pointerTo(anything),
    environment: pointerTo(anything),
  }),
  buildConfig: pointerTo(anything),
  metadata: pointerTo(
    structOf({
      buildInvocationID: optional(text),
      buildStartedOn: pointerTo(instant),
      buildFinishedOn: pointerTo(instant),
      completeness: structOf({ parameters: flag, environment: flag, materials: flag }),
      reproducible: flag,
    }),
  ),
  materials: optional(listOf(structOf({ uri: optional(text), digest: optional(digests) }))),
});

const link = structOf({
  _type: text,
  name: text,
  materials: anyMap,
  products: anyMap,
  byproducts: anyMap,
  command: texts,
  environment: anyMap,
});

const vulnerabilities = structOf({
  invocation: structOf({ parameters: anything, uri: text, event_id: text, 'builder.id': text }),
  scanner: structOf({
    uri: text,
    version: text,
    db: structOf({ uri: text, version: text }),
    result: anything,
  }),
  metadata: structOf({ scanStartedOn: instant, scanFinishedOn: instant }),
});

const types: Readonly<Record<TypedPredicateName, Member>> = {
  slsaprovenance: slsaProvenance,
  link,
  vuln: vulnerabilities,
};

/** True for a short name whose predicates have a type. */
export function isTypedPredicate(name: string): name is TypedPredicateName {
  return Object.hasOwn(types, name);
}

/**
 * A predicate as policy-controller judges it (in-toto-golang's ProvenancePredicate v0.2 and Link, cosign's
 * CosignVulnPredicate): unknown members dropped, missing ones empty. Throws ERR_POLICY_DOCUMENT where a member is of
 * another type.
 */
export function toTypedPredicate(name: TypedPredicateName, predicate: unknown): unknown {
  const type = types[name];
  return readMember(predicate, type, 'predicate');
}

function structOf(members: Readonly<Record<string, Member>>): Member {
  const names = Object.keys(members);
  const read = (value: unknown, path: string): unknown => {
    const given = new Map<string, unknown>();
    for (const [key, member] of Object.entries(recordAt(value, path))) {
      // Go takes a member of any case, the exact one first.
      const name = names.find((one) => one === key) ?? names.find((one) => isSameFolded(one, key));
      if (name !== undefined) given.set(name, member);
    }
    const written = Object.entries(members).map(
      ([name, member]) => [name, readMember(given.get(name), member, `${path}.${name}`)] as const,
    );
    return Object.fromEntries(
      written.filter(([name, member]) => members[name]?.omitsEmpty !== true || !isEmpty(member)),
    );
  };
  return { absent: read({}, ''), omitsEmpty: false, read };
}

function readMember(value: unknown, { absent, read }: Member, path: string): unknown {
  return value === undefined || value === null ? absent : read(value, path);
}

function optional(member: Member): Member {
  return { ...member, omitsEmpty: true };
}

/** A Go pointer or interface with `omitempty`: left out if it is null, kept if it is empty. */
function pointerTo(member: Member): Member {
  return { ...member, absent: undefined };
}

function listOf(member: Member): Member {
  const read = (value: unknown, path: string): unknown => {
    if (!Array.isArray(value)) throw mismatch(path, 'a list');
    return value.map((one: unknown, index) => readMember(one, member, `${path}[${index}]`));
  };
  return { absent: null, omitsEmpty: false, read };
}

function mapOf(member: Member): Member {
  const read = (value: unknown, path: string): unknown =>
    Object.fromEntries(
      Object.entries(recordAt(value, path)).map(([key, one]) => [
        key,
        readMember(one, member, `${path}.${key}`),
      ]),
    );
  return { absent: null, omitsEmpty: false, read };
}

function recordAt(value: unknown, path: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw mismatch(path, 'an object');
}

function ofType(type: 'string' | 'boolean'): Member['read'] {
  return (value, path) => {
    if (typeof value === type) return value;
    throw mismatch(path, `a ${type}`);
  };
}

const rfc3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** RFC 3339 as Go reads it, written as its time.RFC3339Nano: no zeros at the end of a fraction. */
function readInstant(value: unknown, path: string): unknown {
  const [, begin = '', fraction = '', zone = ''] = rfc3339.exec(typeof value === 'string' ? value : '') ?? [];
  if (!isCalendarTime(begin)) throw mismatch(path, 'a time');
  const digits = fraction.slice(0, 9).replace(/0+$/, '');
  return `${begin}${digits === '' ? '' : `.${digits}`}${/^[+-]00:00$/.test(zone) ? 'Z' : zone}`;
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function isCalendarTime(text: string): boolean {
  const ms = Date.parse(`${text}Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

function isSameFolded(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** What `omitempty` leaves out. */
function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === '' || value === null;
  return Object.keys(value).length === 0;
}

function mismatch(path: string, wanted: string): AppError {
  return new AppError('ERR_POLICY_DOCUMENT', `${path.slice(0, 200)} is not ${wanted}`, {
    kind: 'permanent',
    remedy: 'Have the attestation made again by a tool that writes this predicate type.',
  });
}
