import { defineImage } from '../../artifacts/image.ts';

export const METRICS_SERVER = defineImage({
  name: 'metrics-server',
  version: '0.9.0',
  upstream: 'registry.k8s.io/metrics-server/metrics-server:v0.9.0',
  required: true,
  sizeMiB: 23,
});
