import { defineImage } from '../../artifacts/image.ts';

export const COREDNS = defineImage({
  name: 'coredns',
  version: '1.15.0',
  upstream: 'registry.k8s.io/coredns/coredns:v1.15.0',
  required: true,
  sizeMiB: 19,
});
