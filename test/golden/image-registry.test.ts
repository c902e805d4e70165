import { test } from 'vitest';
import imageRegistry from '../../activities/phases/registry/phase.ts';
import { expectGolden, type GoldenCase } from './golden.ts';

test.each<GoldenCase>([
  { name: 'mirror' },
  { name: 'no-mirror', mirror: false },
  { name: 'two-architectures', arches: ['amd64', 'arm64'] },
  {
    name: 'headlamp-elsewhere',
    phases: { registry: { storageDir: '/srv/images', preload: ['headlamp'] }, dashboard: { flavour: 'kube-web-view' } },
  },
])('registry: $name', (golden) => expectGolden(imageRegistry, golden));
