import { defineImage } from '../../artifacts/image.ts';

export const KUBE_WEB_VIEW = defineImage({
  name: 'kube-web-view',
  version: '21.2.0',
  upstream: 'docker.io/hjacobs/kube-web-view:21.2.0',
  required: true,
  sizeMiB: 32,
});

export const HEADLAMP = defineImage({
  name: 'headlamp',
  version: '0.33.0',
  // By tag only: no digest of it could be verified here. A lab's mirror pulls pinned images only, so it stays without it.
  upstream: 'ghcr.io/headlamp-k8s/headlamp:v0.33.0',
  required: false,
  // Not measured: the order of magnitude.
  sizeMiB: 100,
});
