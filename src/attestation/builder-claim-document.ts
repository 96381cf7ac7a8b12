import { PackageURL } from 'packageurl-js';
import { z } from 'zod';
import { isDigest } from '../model/digest.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import { checkedSpecVersions, createBomValidator } from '../sbom/bom-validator.ts';
import type { BomValidator, CheckedSpecVersion } from '../sbom/bom-validator.ts';
import { parseStatement, predicateTypes } from '../statements/statement.ts';
import type { StatementSubject } from '../statements/statement.ts';
import { isJsonObject, parseStrictJson } from '../statements/strict-json.ts';
import type { JsonObject } from '../statements/strict-json.ts';
import { claimFault } from './builder-claim.ts';
import type { FoundClaim } from './builder-claim.ts';

/** A builder's SBOM that is what it says it is. */
export interface ClaimDocument {
  readonly predicateType: typeof predicateTypes.cycloneDx | typeof predicateTypes.spdx;
  readonly document: JsonObject;
  /** Digests by which it names the image that it describes; often one, sometimes none. */
  readonly namedDigests: readonly string[];
}

const purl = z.string().max(4096).optional();
const image = z.object({
  type: z.string(),
  version: z.string().optional(),
  purl,
  hashes: z.array(z.object({ alg: z.string(), content: z.string() })).optional(),
});
const cycloneDx = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.enum(checkedSpecVersions),
  metadata: z.object({ component: image.optional() }).optional(),
});

// SPDX 2.3, sections 6, 7 and 11: what the specification makes mandatory, and what names the described package.
const spdxPackage = z.object({
  SPDXID: z.string().min(1),
  name: z.string(),
  downloadLocation: z.string(),
  versionInfo: z.string().optional(),
  externalRefs: z.array(z.object({ referenceType: z.string(), referenceLocator: z.string() })).optional(),
});
const spdx = z.object({
  spdxVersion: z.enum(['SPDX-2.2', 'SPDX-2.3']),
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  dataLicense: z.literal('CC0-1.0'),
  name: z.string().min(1),
  documentNamespace: z.string().min(1),
  creationInfo: z.object({
    created: z.iso.datetime({ offset: true }),
    creators: z.array(z.string()).min(1),
  }),
  packages: z.array(spdxPackage).optional(),
  documentDescribes: z.array(z.string()).optional(),
  relationships: z
    .array(
      z.object({ spdxElementId: z.string(), relationshipType: z.string(), relatedSpdxElement: z.string() }),
    )
    .optional(),
  annotations: z.array(z.unknown()).optional(),
});

/** Checks documents; a schema is compiled when it is first needed. */
export class ClaimChecker {
  readonly #validators = new Map<CheckedSpecVersion, Promise<BomValidator>>();

  /**
   * Parses a claim and checks it against CycloneDX's schema, or against the mandatory parts of SPDX 2. Throws
   * ERR_SBOM_CLAIM_FORMAT, ERR_SBOM_CLAIM_SUBJECT.
   */
  async check(claim: FoundClaim): Promise<ClaimDocument> {
    const document = claim.source === 'buildkit' ? unwrap(claim) : parse(claim);
    if ('bomFormat' in document) return this.#checkCycloneDx(document, claim);
    if ('spdxVersion' in document) return checkSpdx(document, claim);
    throw formatFault(claim, 'is neither CycloneDX nor SPDX 2 JSON');
  }

  async #checkCycloneDx(document: JsonObject, claim: FoundClaim): Promise<ClaimDocument> {
    const parsed = cycloneDx.safeParse(document);
    if (!parsed.success) throw formatFault(claim, `is no CycloneDX document: ${firstIssue(parsed.error)}`);
    const { specVersion, metadata } = parsed.data;
    const [problem] = (await this.#validator(specVersion))(document);
    if (problem !== undefined) {
      throw formatFault(claim, `breaks the schema of CycloneDX ${specVersion}: ${problem.slice(0, 200)}`);
    }
    const { component } = metadata ?? {};
    return {
      predicateType: predicateTypes.cycloneDx,
      document,
      namedDigests: component === undefined ? [] : digestsOfComponent(component),
    };
  }

  async #validator(version: CheckedSpecVersion): Promise<BomValidator> {
    const known = this.#validators.get(version);
    if (known !== undefined) return known;
    const made = createBomValidator(version);
    this.#validators.set(version, made);
    return made;
  }
}

function parse({ bytes, location }: FoundClaim): JsonObject {
  const json = parseStrictJson(bytes, bytes.byteLength);
  if ('fault' in json)
    throw claimFault('ERR_SBOM_CLAIM_FORMAT', location, `is no strict JSON: ${json.fault}`);
  if (isJsonObject(json.value)) return json.value;
  throw claimFault('ERR_SBOM_CLAIM_FORMAT', location, 'is no JSON object');
}

/** BuildKit keeps a statement, whose subject must be the image that the index relates it to. */
function unwrap(claim: FoundClaim): JsonObject {
  const statement = readStatement(claim);
  if (!statement.subject.some((subject) => isAbout(subject, claim))) {
    const why = `is a statement about other images than ${claim.image?.digest ?? ''}`;
    throw claimFault('ERR_SBOM_CLAIM_SUBJECT', claim.location, why);
  }
  return statement.predicate;
}

function readStatement(claim: FoundClaim): ReturnType<typeof parseStatement> {
  try {
    return parseStatement(claim.bytes);
  } catch (error) {
    if (isAppError(error)) throw formatFault(claim, messageOf(error));
    throw error;
  }
}

function isAbout({ digest }: StatementSubject, { image: meant }: FoundClaim): boolean {
  return Object.entries(digest).some(([algorithm, hex]) => `${algorithm}:${hex}` === meant?.digest);
}

function checkSpdx(document: JsonObject, claim: FoundClaim): ClaimDocument {
  const parsed = spdx.safeParse(document);
  if (!parsed.success) throw formatFault(claim, `is no SPDX 2 document: ${firstIssue(parsed.error)}`);
  const { packages = [], documentDescribes = [], relationships = [], SPDXID } = parsed.data;
  const described = new Set([
    ...documentDescribes,
    ...relationships
      .filter(
        ({ spdxElementId, relationshipType }) => spdxElementId === SPDXID && relationshipType === 'DESCRIBES',
      )
      .map(({ relatedSpdxElement }) => relatedSpdxElement),
  ]);
  return {
    predicateType: predicateTypes.spdx,
    document,
    namedDigests: packages.filter((one) => described.has(one.SPDXID)).flatMap(digestsOfPackage),
  };
}

function digestsOfComponent({ type, version, purl: text, hashes = [] }: z.infer<typeof image>): string[] {
  // A hash of something else than an image is that of a file.
  const ofImage = type === 'container' ? hashes.filter(({ alg }) => alg === 'SHA-256') : [];
  return [
    version,
    versionOf(text),
    ...ofImage.map(({ content }) => `sha256:${content.toLowerCase()}`),
  ].filter((digest) => digest !== undefined && isDigest(digest));
}

function digestsOfPackage({ name, versionInfo, externalRefs = [] }: z.infer<typeof spdxPackage>): string[] {
  const purls = externalRefs.filter(({ referenceType }) => referenceType === 'purl');
  // ko names the package by the digest itself.
  return [name, versionInfo, ...purls.map(({ referenceLocator }) => versionOf(referenceLocator))].filter(
    (digest) => digest !== undefined && isDigest(digest),
  );
}

function versionOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return PackageURL.fromString(text).version ?? undefined;
  } catch {
    // What is no purl names nothing.
    return undefined;
  }
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim().slice(0, 200);
}

function formatFault({ location }: FoundClaim, why: string): ReturnType<typeof claimFault> {
  return claimFault('ERR_SBOM_CLAIM_FORMAT', location, why);
}
