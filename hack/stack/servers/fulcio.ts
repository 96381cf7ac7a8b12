import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';

import { stringify } from 'yaml';

import { local, ports, urls } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential, fulcioKeyPassword } from '../certificates.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import { componentNamed } from '../versions.ts';
import type { Server } from './server.ts';

const component = componentNamed('fulcio');
const socket = 'fulcio.sock';

/**
 * Fulcio's own `kubernetes` issuer type writes https://kubernetes.io into the SAN, so the subject is taken apart here:
 * "system:serviceaccount:NAMESPACE:NAME" (22 = length of its prefix, 58 = ":"; neither part can hold a colon). Any
 * other subject is refused by the missing key.
 */
const subjectTemplate =
  '{{if ne (slice .sub 0 22) "system:serviceaccount:"}}{{.not_a_service_account}}{{end}}' +
  `{{$s := slice .sub 22}}${urls.kubernetes}/namespaces/{{range $i := len $s}}{{$c := index $s $i}}` +
  '{{if eq $c 58}}/serviceaccounts/{{else}}{{printf "%c" $c}}{{end}}{{end}}';

async function configuration(): Promise<string> {
  return stringify(
    {
      'oidc-issuers': {
        [urls.kubernetes]: {
          'issuer-url': urls.kubernetes,
          'client-id': 'sigstore',
          type: 'ci-provider',
          'ci-provider': 'golems-kubernetes',
          'ca-cert': await readFile(credential('ca.crt'), 'utf8'),
        },
      },
      'ci-issuer-metadata': { 'golems-kubernetes': { 'subject-alternative-name-template': subjectTemplate } },
    },
    { lineWidth: 0 },
  );
}

/** The certificate authority that turns a ServiceAccount token into a signing certificate. */
export const fulcio: Server = {
  name: 'fulcio',
  version: component.version,
  address: urls.fulcio,
  // It asks the issuer for its keys when it starts; later it would only ask on demand.
  needs: ['kube-apiserver', 'ctlog'],
  prepare: async () => {
    await mkdir(inState('conf'), { recursive: true });
    await writeFile(inState('conf', 'fulcio.yaml'), await configuration());
    // A socket left behind is fatal at the start.
    await rm(inState(socket), { force: true });
  },
  command: async () => ({
    file: builtPath(component),
    args: [
      'serve',
      '--host',
      '127.0.0.1',
      '--port',
      String(ports.fulcio),
      '--grpc-host',
      '127.0.0.1',
      '--grpc-port',
      String(ports.fulcioGrpc),
      '--metrics-port',
      String(ports.fulcioMetrics),
      // Relative to its working folder, since a socket's whole path may have no more than 107 bytes.
      '--legacy-unix-domain-socket',
      socket,
      '--ca',
      'fileca',
      '--fileca-cert',
      credential('fulcio.crt'),
      '--fileca-key',
      credential('fulcio.key'),
      '--fileca-key-passwd',
      fulcioKeyPassword,
      '--fileca-watch=false',
      '--config-path',
      inState('conf', 'fulcio.yaml'),
      '--ct-log-url',
      `http://${local(ports.ctlog)}/golems`,
    ],
    configuration: await configuration(),
  }),
  isHealthy: () => answersHttp(`http://${local(ports.fulcio)}/healthz`),
};
