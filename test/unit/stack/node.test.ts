import { expect } from 'chai';

import { addressForPods, podHostAliases } from '../../../hack/stack/addresses.ts';
import { mountsBelow } from '../../../hack/stack/node/remains.ts';
import { withImages } from '../../../hack/stack/node/tekton.ts';

describe('addresses of the stack for Pods', () => {
  it('are of the node’s network, one for each of loopback', () => {
    expect(['127.0.0.1', '127.0.10.1', '127.0.10.3'].map(addressForPods)).to.deep.equal([
      '10.99.0.1',
      '10.99.0.11',
      '10.99.0.13',
    ]);
  });

  it('stand for every name of the stack', () => {
    const aliases = new Map(podHostAliases.map(({ ip, hostnames }) => [ip, hostnames]));
    expect(aliases.get('10.99.0.12')).to.deep.equal(['harbor.golems.internal']);
    expect(aliases.get('10.99.0.1')).to.include.members(['rekor.golems.internal', 'tsa.golems.internal']);
  });
});

describe('Tekton’s manifests', () => {
  const images = new Map([
    ['tekton-nop', 'oci.golems.internal/stack/tekton-nop:v1@sha256:01'],
    ['shell', 'oci.golems.internal/stack/shell:v1@sha256:02'],
  ]);

  it('get the images that are here', () => {
    const text =
      '"-nop-image", "ko://github.com/tektoncd/pipeline/cmd/nop",\n"-shell-image", "cgr.dev/chainguard/busybox@sha256:19f0",';
    expect(withImages(text, images)).to.equal(
      '"-nop-image", "oci.golems.internal/stack/tekton-nop:v1@sha256:01",\n"-shell-image", "oci.golems.internal/stack/shell:v1@sha256:02",',
    );
  });

  it('may ask for no image that is not', () => {
    const text = 'image: ko://github.com/tektoncd/pipeline/cmd/webhook';
    expect(() => withImages(text, images)).to.throw('no image stands for tekton-webhook');
  });
});

describe('mounts of the node', () => {
  it('are those below its folder, the deepest first', () => {
    const mountinfo = [
      '24 1 8:1 / / rw - ext4 /dev/vda rw',
      '80 24 0:40 / /c/.stack/node/kubelet/pods/1/volumes/token rw - tmpfs tmpfs rw',
      '81 24 0:41 / /c/.stack/node/state/1/rootfs rw - overlay overlay rw',
      '82 81 0:42 / /c/.stack/node/state/1/rootfs/proc rw - proc proc rw',
      '83 24 0:43 / /c/.stack/node-of-another rw - tmpfs tmpfs rw',
      '',
    ].join('\n');
    expect(mountsBelow('/c/.stack/node', mountinfo)).to.deep.equal([
      '/c/.stack/node/state/1/rootfs/proc',
      '/c/.stack/node/state/1/rootfs',
      '/c/.stack/node/kubelet/pods/1/volumes/token',
    ]);
  });
});
