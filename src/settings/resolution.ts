import type { AppError } from '../model/errors.ts';
import { exampleKey, readChainsConfig } from './chains-config.ts';
import type { ChainsFinding, ChainsReading } from './chains-config-reading.ts';
import { readEnvironment } from './environment.ts';
import { leavesTagsOut, logContradictions, withChosenServices } from './log-rules.ts';
import type { Contradiction } from './log-rules.ts';
import { settingsObjectSchema } from './settings-object.ts';
import { settingsSchema } from './settings-schema.ts';
import type { Settings, SettingsInput } from './settings-schema.ts';
import { listIssues, settingsInvalid } from './settings-fault.ts';
import type { SettingsFault, SettingsSource } from './settings-fault.ts';
import { deepFreeze, leafPaths, mergeTrees, speaksOf, valueAt } from './settings-tree.ts';

/** Everything that may speak of settings, strongest first. */
export interface SettingsSources {
  /** What the command line says, in the shape of `spec`; `undefined` values say nothing. */
  readonly flags?: SettingsInput;
  /** The environment as a plain map. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** A `ChainwrightConfig` object as parsed from a file or given by the API server. */
  readonly object?: unknown;
  /** `data` of the ConfigMap `chains-config`. */
  readonly chainsConfig?: Readonly<Record<string, string>>;
}

/** Something that the operator should know about settings that are valid nevertheless. */
export interface SettingsNotice {
  readonly level: 'info' | 'warning';
  readonly source: SettingsSource;
  /** Key, variable or field. */
  readonly name: string;
  readonly message: string;
}

/** What became of one key of `chains-config`. */
export interface ChainsKeyOutcome {
  readonly key: string;
  /**
   * `implied`: the key is absent, and Chains' default counts; `overridden`: a stronger source decides; `ignored`: without
   * effect here.
   */
  readonly verdict: 'honoured' | 'implied' | 'overridden' | 'ignored';
  readonly message?: string;
}

/** Settings in force, where they came from, and what to tell about them. */
export interface ResolvedSettings {
  readonly settings: Settings;
  /** Source by dotted path as in `spec`; what is not in it has its default. */
  readonly origins: ReadonlyMap<string, SettingsSource>;
  readonly notices: readonly SettingsNotice[];
  /** Every key that the ConfigMap has, and those whose absence counts. */
  readonly chainsKeys: readonly ChainsKeyOutcome[];
}

interface Layer {
  readonly source: SettingsSource;
  readonly input: unknown;
  readonly name: (path: string) => string;
}

/**
 * The settings in force. Flag beats environment beats object beats `chains-config` beats default, value by value;
 * lists and `signer.key` are replaced whole. Pure. Throws ERR_SETTINGS_INVALID with every fault of every source.
 */
export function resolveSettings(sources: SettingsSources): ResolvedSettings {
  const faults: SettingsFault[] = [];
  const environment = readEnvironment(sources.environment ?? {});
  const chains = readChainsConfig(sources.chainsConfig ?? {});
  const layers: readonly Layer[] = [
    { source: 'chains-config', input: chains.input, name: (path) => nameOf(chains.names, path) },
    {
      source: 'object',
      input: readObject(sources.object, faults),
      name: (path) => ['spec', path].filter(Boolean).join('.'),
    },
    { source: 'environment', input: environment.input, name: (path) => nameOf(environment.names, path) },
    { source: 'flag', input: sources.flags ?? {}, name: (path) => path },
  ];
  faults.push(...layers.flatMap(checkLayer));
  const stronger = layers.slice(1);
  faults.push(...refusedValues(chains.findings, stronger, sources.chainsConfig ?? {}));
  if (faults.length > 0) throw settingsInvalid(faults);
  const settings = finish(layers);
  return {
    settings,
    origins: new Map(layers.flatMap(({ source, input }) => leafPaths(input).map((path) => [path, source]))),
    notices: [...chainsNotices(chains.findings, stronger), ...weaknesses(settings, layers)],
    chainsKeys: chainsOutcomes(chains, stronger, Object.keys(sources.chainsConfig ?? {})),
  };
}

function nameOf(names: ReadonlyMap<string, string>, path: string): string {
  const owner = [...names.keys()].find((known) => path === known || path.startsWith(`${known}.`));
  return owner === undefined ? path : (names.get(owner) ?? path);
}

function readObject(object: unknown, faults: SettingsFault[]): unknown {
  if (object === undefined) return {};
  const parsed = settingsObjectSchema.safeParse(object);
  if (parsed.success) return parsed.data.spec ?? {};
  for (const { path, value, rule } of listIssues(parsed.error, object)) {
    faults.push({ source: 'object', name: path.join('.') || 'the object', value, rule });
  }
  return valueAt(object, ['spec']) ?? {};
}

function checkLayer(layer: Layer): readonly SettingsFault[] {
  const parsed = settingsSchema.safeParse(layer.input);
  if (parsed.success) return [];
  return listIssues(parsed.error, layer.input).map(({ path, value, rule }) => ({
    source: layer.source,
    name: layer.name(path.join('.')).replaceAll(/\.(\d+)(?=\.|$)/g, '[$1]'),
    value,
    rule,
  }));
}

function refusedValues(
  findings: readonly ChainsFinding[],
  stronger: readonly Layer[],
  data: Readonly<Record<string, string>>,
): readonly SettingsFault[] {
  return findings
    .filter(({ verdict, path }) => verdict === 'refused' && !isDecided(stronger, path))
    .map(({ key, path, message }) => ({
      source: 'chains-config',
      name: key,
      value: data[key],
      rule: `${message}; change it, or say in a ChainwrightConfig what ${path ?? 'the setting'} is instead`,
    }));
}

function isDecided(stronger: readonly Layer[], path: string | undefined): boolean {
  return path !== undefined && stronger.some(({ input }) => speaksOf(input, path));
}

function chainsNotices(
  findings: readonly ChainsFinding[],
  stronger: readonly Layer[],
): readonly SettingsNotice[] {
  return findings
    .filter(({ verdict, path }) => verdict !== 'implied' || !isDecided(stronger, path))
    .map(({ key, verdict, message }) => ({
      level: verdict === 'implied' ? 'info' : 'warning',
      source: 'chains-config',
      name: key,
      message: verdict === 'refused' ? `${message}; a stronger source decides` : message,
    }));
}

function chainsOutcomes(
  { names, findings }: Pick<ChainsReading, 'names' | 'findings'>,
  stronger: readonly Layer[],
  keys: readonly string[],
): readonly ChainsKeyOutcome[] {
  const found = new Map(findings.map((finding) => [finding.key, finding]));
  const paths = new Map([...names].map(([path, key]) => [key, path]));
  const implied = findings.filter(({ verdict }) => verdict === 'implied').map(({ key }) => key);
  return [...new Set([...keys.filter((key) => key !== exampleKey), ...implied])].map((key) => {
    const finding = found.get(key);
    const text = finding === undefined ? {} : { message: finding.message };
    const isDecidedElsewhere = isDecided(stronger, paths.get(key) ?? finding?.path);
    if (isDecidedElsewhere || finding?.verdict === 'refused') return { key, verdict: 'overridden', ...text };
    return { key, verdict: finding?.verdict ?? 'honoured', ...text };
  });
}

/** The merged settings, or faults that only show when all sources are put together. */
function finish(layers: readonly Layer[]): Settings {
  const merged = mergeTrees(layers.map(({ input }) => input));
  const from = (path: string): SettingsSource => sourceOf(layers, path);
  const refuse = (faults: readonly Contradiction[]): AppError =>
    settingsInvalid(faults.map(({ path, value, rule }) => ({ source: from(path), name: path, value, rule })));
  const parsed = settingsSchema.safeParse(merged);
  if (!parsed.success) {
    const issues = listIssues(parsed.error, merged);
    throw refuse(issues.map(({ path, value, rule }) => ({ path: path.join('.'), value, rule })));
  }
  const settings = withChosenServices(parsed.data, from);
  const faults = [...contradictions(settings), ...logContradictions(settings, from)];
  if (faults.length > 0) throw refuse(faults);
  return deepFreeze(settings);
}

function sourceOf(layers: readonly Layer[], path: string): SettingsSource {
  return layers.findLast(({ input }) => speaksOf(input, path))?.source ?? 'default';
}

function contradictions(settings: Settings): readonly Contradiction[] {
  const { controller, records, registries, storage } = settings;
  const faults: Contradiction[] = [];
  if (controller.retry.baseMs > controller.retry.maxMs) {
    faults.push({
      path: 'controller.retry',
      value: controller.retry,
      rule: 'base must not be longer than max',
    });
  }
  if (records.minAgeMs > records.maxAgeMs) {
    faults.push({ path: 'records', value: records, rule: 'minAge must not be longer than maxAge' });
  }
  if (!storage.layouts.tags && !storage.layouts.referrers) {
    faults.push({
      path: 'storage.layouts',
      value: storage.layouts,
      rule: 'tags and referrers must not both be off',
    });
  }
  const hosts = registries.map(({ host }) => host);
  const repeated = hosts.find((host, index) => hosts.indexOf(host) !== index);
  if (repeated !== undefined) {
    faults.push({ path: 'registries', value: repeated, rule: 'each host may be named once' });
  }
  return faults;
}

function weaknesses(settings: Settings, layers: readonly Layer[]): readonly SettingsNotice[] {
  const { signer, log, registries } = settings;
  const notices: SettingsNotice[] = [];
  const warn = (name: string, message: string): void => {
    notices.push({ level: 'warning', source: sourceOf(layers, name), name, message });
  };
  if (signer.type === 'none') warn('signer.type', 'nothing is signed');
  if (signer.type === 'keyless' && !log.enabled) {
    warn(
      'log.enabled',
      'keyless signatures without log entries cannot be verified once the certificate has expired',
    );
  }
  if (leavesTagsOut(settings)) {
    warn('storage.layouts.tags', "cosign's tags are left out: they cannot hold entries of Rekor v2");
  }
  for (const { host } of registries.filter(({ insecure }) => insecure)) {
    warn('registries', `${host === '*' ? 'every registry' : host} is spoken to without TLS checks`);
  }
  return notices;
}
