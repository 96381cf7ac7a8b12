import { hosts, local, clusterNetwork, ports, urls } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { credential } from '../certificates.ts';
import { inState } from '../paths.ts';
import { answersHttp } from '../process/health.ts';
import { componentNamed } from '../versions.ts';
import type { Server } from './server.ts';

const component = componentNamed('kube-apiserver');

/** The real Kubernetes API, which is also the issuer of the identity tokens that Fulcio accepts. */
export const kubeApiserver: Server = {
  name: 'kube-apiserver',
  version: component.version,
  address: urls.kubernetes,
  needs: ['etcd'],
  command: () =>
    Promise.resolve({
      file: builtPath(component),
      args: [
        `--bind-address=${hosts.kubernetes.ip}`,
        `--advertise-address=${hosts.kubernetes.ip}`,
        `--secure-port=${ports.https}`,
        `--etcd-servers=http://${local(ports.etcd)}`,
        `--cert-dir=${inState('data', 'kube-apiserver')}`,
        `--tls-cert-file=${credential('kubernetes.crt')}`,
        `--tls-private-key-file=${credential('kubernetes.key')}`,
        `--client-ca-file=${credential('ca.crt')}`,
        `--service-account-issuer=${urls.kubernetes}`,
        `--service-account-jwks-uri=${urls.kubernetes}/openid/v1/jwks`,
        `--service-account-signing-key-file=${credential('sa.key')}`,
        `--service-account-key-file=${credential('sa.pub')}`,
        // A Pod's default token is then good for Fulcio as well, as the runbook's manual signing has it.
        `--api-audiences=${urls.kubernetes},sigstore`,
        `--service-cluster-ip-range=${clusterNetwork.services}`,
        '--authorization-mode=RBAC',
        '--anonymous-auth=true',
        // There is no other API server, and 127/8 is refused as an endpoint.
        '--endpoint-reconciler-type=none',
        '--allow-privileged=true',
        // For the logs and terminals of Pods, where there is a node.
        `--kubelet-client-certificate=${credential('admin.crt')}`,
        `--kubelet-client-key=${credential('admin.key')}`,
        '--kubelet-preferred-address-types=InternalIP',
      ],
    }),
  isHealthy: () => answersHttp(`${urls.kubernetes}/readyz`),
};
