import { defineImage } from '../../artifacts/image.ts';

/** What test pods run. */
export const BUSYBOX = defineImage({
  name: 'busybox',
  version: '1.35.0',
  upstream: 'docker.io/library/busybox:1.35.0',
  required: true,
  sizeMiB: 1.1,
});
