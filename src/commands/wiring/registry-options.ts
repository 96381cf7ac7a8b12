import { resolve } from 'node:path';
import type { Command } from 'commander';
import { chainCredentialSources } from '../../registry/credentials.ts';
import type { CredentialSource } from '../../registry/credentials.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { parseUserImage } from './image-argument.ts';

/** cosign's flags that say how the image's registry is reached. */
export interface RegistryFlags {
  readonly registryCacert?: string;
  readonly registryUsername?: string;
  readonly registryPassword?: string;
  readonly allowInsecureRegistry?: boolean;
  readonly allowHttpRegistry?: boolean;
}

/** Adds the options of every command that reads or writes beside an image, named as cosign names them. */
export function addRegistryOptions(command: Command): Command {
  return command
    .option('--registry-cacert <file>', 'PEM file with authorities that are trusted for the image’s registry')
    .option('--registry-username <name>', 'who we are to the image’s registry, before any docker config')
    .option('--registry-password <password>', 'the password that belongs to the name')
    .option('--allow-insecure-registry', 'do not check the certificate of the image’s registry; for tests')
    .option('--allow-http-registry', 'the same, and plain HTTP');
}

/** The settings with what the flags say of the image's registry; others stay as they are. Throws ERR_USAGE_IMAGE. */
export function withRegistryFlags(settings: Settings, image: string, flags: RegistryFlags): Settings {
  const { registryCacert, allowInsecureRegistry, allowHttpRegistry } = flags;
  const insecure = allowInsecureRegistry === true || allowHttpRegistry === true;
  if (registryCacert === undefined && !insecure) return settings;
  const host = parseUserImage(image).repository.registry;
  const { registries } = settings;
  const before = registries.find((one) => one.host === host) ?? registries.find((one) => one.host === '*');
  const entry = {
    ...before,
    host,
    insecure: insecure || before?.insecure === true,
    ...(registryCacert === undefined ? {} : { caFile: resolve(registryCacert) }),
  };
  return { ...settings, registries: [entry, ...registries.filter((one) => one.host !== host)] };
}

/**
 * The credentials with those of the flags before them, which go to the image's own registry alone. Throws ERR_USAGE_FLAGS,
 * ERR_USAGE_IMAGE.
 */
export function withRegistryLogin(
  credentials: CredentialSource,
  image: string,
  { registryUsername: username, registryPassword: password }: RegistryFlags,
): CredentialSource {
  if (username === undefined && password === undefined) return credentials;
  if (username === undefined || password === undefined) {
    throw usageFault(
      '--registry-username and --registry-password belong together',
      'Give both, or a docker config in DOCKER_CONFIG.',
    );
  }
  const { registry } = parseUserImage(image).repository;
  const given: CredentialSource = {
    find: (repository) =>
      Promise.resolve(repository.registry === registry ? [{ kind: 'basic', username, password }] : []),
  };
  return chainCredentialSources([given, credentials]);
}
