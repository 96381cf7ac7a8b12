import { isAppError, isPassing } from '../../model/errors.ts';
import { parseCertificateIssuers } from '../../signing/certificate-issuers.ts';
import { readMetadataKey } from '../../signing/metadata-key.ts';
import type { VerificationDemands } from '../../signing/verification.ts';
import { layoutFault } from '../../statements/layout-fault.ts';
import { readLayout } from '../../statements/layout.ts';
import type { Layout, LayoutStep } from '../../statements/layout.ts';
import { isSameFile } from '../../statements/link.ts';
import type { Artifacts, Link } from '../../statements/link.ts';
import { parseSignedMetadata } from '../../statements/signed-metadata.ts';
import type { JsonObject } from '../../statements/strict-json.ts';
import { requireRules } from './artifact-rules.ts';
import { reportOf, reportsOfEvidence, requireSigned } from './step-reports.ts';
import type { CertificateTrust, FoundEvidence, Functionary, StepReport } from './step-reports.ts';

/** Where what functionaries wrote lies. */
export interface LayoutSource {
  /**
   * Link metadata of a step by a key, in the folder of a layout inside others; undefined if there is none. Throws
   * ERR_USAGE_FILE.
   */
  readonly link: (folder: readonly string[], step: string, keyid: string) => Promise<Uint8Array | undefined>;
  /** Attestations that were given for a step of the outermost layout. */
  readonly attestations: (step: string) => readonly FoundEvidence[];
  /** What inspections of the outermost layout were seen to do, by name. */
  readonly inspected: ReadonlyMap<string, Link>;
}

/** What a layout is verified with. */
export interface LayoutParts {
  readonly source: LayoutSource;
  /** The present instant. */
  readonly at: Date;
  /** Absent: functionaries with certificates are not believed. */
  readonly certificates?: CertificateTrust;
  /** For keys: the layout names them, so that nobody has to vouch for the time. */
  readonly unwitnessed: VerificationDemands;
}

/** A step that was carried out as the layout wants it. */
export interface VerifiedStep {
  readonly step: string;
  readonly functionaries: readonly Pick<StepReport, 'functionary' | 'source'>[];
}

/** A layout that holds. */
export interface VerifiedLayout {
  readonly expires: Date;
  readonly steps: readonly VerifiedStep[];
  readonly inspections: readonly string[];
  /** What went into the first step and came out of the last one. */
  readonly summary: Link;
  /** Steps whose command was another than the layout names: in-toto leaves that at a warning. */
  readonly warnings: readonly string[];
}

/** Layouts inside one another, and all of them: more would let a functionary send us round and round. */
const maxDepth = 8;
const maxLayouts = 200;

/**
 * Verifies what functionaries did by a layout whose own signatures were verified (in-toto specification 1.0, section 5.2):
 * expiry, signatures and thresholds of each step, layouts inside, rules of steps and inspections. No command is ever run.
 * Throws ERR_LAYOUT_*, and passing faults of the source.
 */
export function verifyLayout(
  signed: JsonObject,
  object: string,
  parts: LayoutParts,
): Promise<VerifiedLayout> {
  return verifyAt(signed, object, [], { ...parts, seen: { layouts: 0 } });
}

interface Running extends LayoutParts {
  readonly seen: { layouts: number };
}

async function verifyAt(
  signed: JsonObject,
  object: string,
  folder: readonly string[],
  parts: Running,
): Promise<VerifiedLayout> {
  parts.seen.layouts += 1;
  if (folder.length > maxDepth || parts.seen.layouts > maxLayouts) {
    const most = `more than ${maxDepth} layouts are inside one another, or more than ${maxLayouts} in all`;
    throw layoutFault('ERR_LAYOUT_DEPTH', object, most);
  }
  const layout = readLayout(signed, object);
  requireUsable(layout, object, parts.at);
  const reported = new Map<string, readonly StepReport[]>();
  for (const step of layout.steps) reported.set(step.name, await reportsOn(step, layout, folder, parts));
  const links = new Map([...reported].map(([name, reports]) => [name, reports[0]?.link ?? nothing]));
  for (const step of layout.steps) requireRules(step, links.get(step.name) ?? nothing, links);
  requireInspections(layout, links, folder, parts.source);
  return resultOf(layout, reported);
}

function resultOf(
  { expires, steps, inspections }: Layout,
  reported: ReadonlyMap<string, readonly StepReport[]>,
): VerifiedLayout {
  const linkOf = (step: LayoutStep | undefined): Link => reported.get(step?.name ?? '')?.[0]?.link ?? nothing;
  const { materials } = linkOf(steps[0]);
  const { products } = linkOf(steps.at(-1));
  return {
    expires,
    steps: steps.map(({ name }) => ({
      step: name,
      functionaries: (reported.get(name) ?? []).map(({ functionary, source }) => ({ functionary, source })),
    })),
    inspections: inspections.map(({ name }) => name),
    summary: { materials, products, command: [] },
    warnings: steps.flatMap((step) => misfit(step, reported.get(step.name) ?? [])),
  };
}

const nothing: Link = { materials: new Map(), products: new Map(), command: [] };

function requireUsable({ expires, steps }: Layout, object: string, at: Date): void {
  if (!(expires > at)) {
    throw layoutFault('ERR_LAYOUT_EXPIRED', object, `it expired at ${expires.toISOString()}`);
  }
  if (steps.length === 0)
    throw layoutFault('ERR_LAYOUT_FORMAT', object, 'it has no steps, so that it says nothing');
}

// What makes the whole fail, however many others report.
const unsurpassable = new Set(['ERR_LAYOUT_DISAGREE', 'ERR_LAYOUT_DEPTH']);

/** Reports of as many functionaries as the step wants, which all say the same. */
async function reportsOn(
  step: LayoutStep,
  layout: Layout,
  folder: readonly string[],
  parts: Running,
): Promise<readonly StepReport[]> {
  const reasons: string[] = [];
  const reports = new Map<string, StepReport>();
  const collect = async (
    find: () => Promise<readonly StepReport[]> | readonly StepReport[],
  ): Promise<void> => {
    try {
      for (const report of await find()) {
        if (!reports.has(report.fingerprint)) reports.set(report.fingerprint, report);
        else requireSame([...reports.values(), report], step);
      }
    } catch (error) {
      if (!isAppError(error) || isPassing(error) || unsurpassable.has(error.code)) throw error;
      reasons.push(`${error.code}: ${error.message}`);
    }
  };
  const functionaries = step.keyids.map((keyid) => ({
    keyid,
    key: readMetadataKey(layout.keys.get(keyid) ?? {}, keyid),
  }));
  for (const functionary of functionaries) {
    await collect(() => linkedReports(step, functionary, folder, parts));
  }
  const attestations = folder.length === 0 ? parts.source.attestations(step.name) : [];
  const { unwitnessed } = parts;
  const trusted = { functionaries, trust: certificatesFor(step, layout, parts), unwitnessed };
  for (const found of attestations) await collect(() => reportsOfEvidence(found, step, trusted));
  const all = [...reports.values()];
  if (all.length < step.threshold) {
    const why = reasons.length === 0 ? '' : `\n  ${reasons.slice(0, 20).join('\n  ')}`;
    throw layoutFault(
      'ERR_LAYOUT_THRESHOLD',
      step.name,
      `${all.length} of at least ${step.threshold} functionaries report on it${why}`,
    );
  }
  requireSame(all, step);
  return all;
}

/** Where the layout names authorities, they alone count. */
function certificatesFor(
  { certificateConstraints }: LayoutStep,
  { authorities }: Layout,
  { certificates }: LayoutParts,
): CertificateTrust | undefined {
  if (certificateConstraints.length === 0 || certificates === undefined) return undefined;
  if (authorities.length === 0) return certificates;
  const issuers = parseCertificateIssuers(authorities.join('\n'));
  return issuers === undefined
    ? undefined
    : { ...certificates, demands: { ...certificates.demands, issuers } };
}

async function linkedReports(
  step: LayoutStep,
  functionary: Functionary,
  folder: readonly string[],
  parts: Running,
): Promise<readonly StepReport[]> {
  const { keyid, key } = functionary;
  const bytes = await parts.source.link(folder, step.name, keyid);
  if (bytes === undefined) return [];
  const place = `${step.name}.${keyid.slice(0, 8)}`;
  const source = [...folder, `${place}.link`].join('/');
  const metadata = parseSignedMetadata(bytes, source);
  if (metadata.signed['_type'] !== 'layout') return [reportOf(metadata, step, functionary, source)];
  requireSigned(metadata, key, source);
  const { summary } = await verifyAt(metadata.signed, source, [...folder, place], parts);
  return [{ functionary: keyid, fingerprint: key.fingerprint, source, link: summary }];
}

function requireSame(reports: readonly StepReport[], { name }: LayoutStep): void {
  const [first, ...others] = reports;
  const another = others.find(({ link }) => first !== undefined && !isSameLink(first.link, link));
  if (first === undefined || another === undefined) return;
  throw layoutFault(
    'ERR_LAYOUT_DISAGREE',
    name,
    `${first.source} and ${another.source} say different things`,
  );
}

function isSameLink(a: Link, b: Link): boolean {
  return isSameSet(a.materials, b.materials) && isSameSet(a.products, b.products);
}

function isSameSet(a: Artifacts, b: Artifacts): boolean {
  return (
    a.size === b.size &&
    [...a].every(([name, digests]) => {
      const other = b.get(name);
      return other !== undefined && isSameFile(digests, other);
    })
  );
}

function misfit({ name, expectedCommand }: LayoutStep, reports: readonly StepReport[]): readonly string[] {
  const wanted = JSON.stringify(expectedCommand);
  const isOther = reports.some(
    ({ link }) => link.command.length > 0 && JSON.stringify(link.command) !== wanted,
  );
  return expectedCommand.length > 0 && isOther
    ? [`step ${name} was carried out by another command than the layout names`]
    : [];
}

/** Commands of a layout are not run, whoever signed it: what they do must have been seen elsewhere. */
function requireInspections(
  { inspections }: Layout,
  links: Map<string, Link>,
  folder: readonly string[],
  { inspected }: LayoutSource,
): void {
  for (const { name, run } of inspections) {
    const link = folder.length === 0 ? inspected.get(name) : undefined;
    if (link === undefined) {
      const command = run.join(' ').slice(0, 200);
      throw layoutFault(
        'ERR_LAYOUT_INSPECTION',
        name,
        `it wants "${command}" to be run, and no command is run here`,
      );
    }
    links.set(name, link);
  }
  for (const inspection of inspections)
    requireRules(inspection, links.get(inspection.name) ?? nothing, links);
}
