import { openClusterAgent } from '../../../kube/kube-transport.ts';
import { isPassing } from '../../../model/errors.ts';
import { silentLog } from '../../../model/log.ts';
import { SigningServices } from '../../wiring/signing-services.ts';
import type { Check, SigningParts } from '../examination.ts';
import { getServerTime } from '../http-answer.ts';

const mostMs = 30_000;

/** The clocks of API server, Fulcio and logs beside ours, as their answers tell. */
export const clockCheck: Check = {
  name: 'clock',
  needs: 'settings',
  look: async (parts) => {
    const { settings, clock, signal } = parts;
    const services = new SigningServices({ settings, clock, log: silentLog });
    const { logs } = await services.witnesses({ signal });
    const fulcio = settings.signer.type === 'keyless' ? [await services.fulcioUrl({ signal })] : [];
    const urls = [...fulcio, ...logs.map(({ url }) => url)];
    const found = await Promise.all([skewOfApiServer(parts), ...urls.map((url) => skewOf(url, parts))]);
    return found.flatMap(({ server, skewMs }) =>
      Math.abs(skewMs) <= mostMs
        ? []
        : [
            {
              id: 'clock-skew',
              object: server,
              message: `its clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} ours`,
            } as const,
          ],
    );
  },
};

interface Skew {
  readonly server: string;
  readonly skewMs: number;
}

async function skewOf(server: string, parts: SigningParts): Promise<Skew> {
  const dispatcher = parts.dispatchers.for(new URL(server).host);
  return measure(server, server, { ...parts, dispatcher });
}

async function skewOfApiServer(parts: SigningParts): Promise<Skew> {
  const { access, signal } = parts;
  const { tls } = await access.credentials({ signal });
  const dispatcher = openClusterAgent(access, tls);
  try {
    return await measure(access.server, `${access.server}/version`, { ...parts, dispatcher });
  } finally {
    await dispatcher.destroy();
  }
}

async function measure(
  server: string,
  address: string,
  { clock, ...way }: Pick<SigningParts, 'clock' | 'signal'> & Parameters<typeof getServerTime>[1],
): Promise<Skew> {
  try {
    const before = clock.now().getTime();
    const told = await getServerTime(address, way);
    const between = (before + clock.now().getTime()) / 2;
    return { server, skewMs: told === undefined ? 0 : told.getTime() - between };
  } catch (error) {
    // That it does not answer is for the checks to say that need it.
    if (isPassing(error)) return { server, skewMs: 0 };
    throw error;
  }
}
