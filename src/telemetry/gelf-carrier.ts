import type { GelfMessage } from './gelf-message.ts';

/** Where a GELF input listens, and how it is spoken to. */
export interface GelfTarget {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** How messages travel. */
export interface GelfCarrier {
  /** The bytes of a message, shortened where they would not fit; never throws. */
  encode(message: GelfMessage): Buffer;
  /** Opens a way to the input. Throws ERR_GELF_UNREACHABLE, ERR_GELF_CERTIFICATE, ERR_GELF_CA_FILE. */
  connect(options: { readonly signal: AbortSignal }): Promise<GelfConnection>;
}

/** An open way to an input. It never keeps the process alive. */
export interface GelfConnection {
  /** False once it is known to lead nowhere, or is too old. */
  readonly isOpen: boolean;
  /** Resolves when the system has taken all of `payload`. Throws ERR_GELF_UNREACHABLE. */
  write(payload: Buffer, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Closes it once the system has sent what it took. */
  end(options: { readonly signal: AbortSignal }): Promise<void>;
  destroy(): void;
}

/** `PROTOCOL://HOST:PORT` in parts; the settings have checked its form. */
export function parseGelfAddress(address: string): GelfTarget {
  const { protocol, hostname, port } = new URL(address);
  return {
    protocol: protocol.slice(0, -1) as GelfTarget['protocol'],
    host: hostname.replaceAll(/^\[|\]$/g, ''),
    port: Number(port),
  };
}

/** `HOST:PORT` of a target, for messages. */
export function formatGelfTarget({ protocol, host, port }: GelfTarget): string {
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
