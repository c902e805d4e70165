import { expect, it } from 'vitest';
import { KUBERNETES } from '../../activities/kube/artifacts.ts';
import { RUNC } from '../../activities/phases/runtime/artifacts.ts';
import type { GoWorkshop } from '../../lab/mirror/go/workshop.ts';
import { goBuildSource } from '../../lab/mirror/sources/go-build.ts';
import { machineArch, refuseOtherArch } from '../../lab/mirror/sources/other-arch.ts';

const other = machineArch() === 'amd64' ? 'arm64' : 'amd64';

it('what needs a C compiler is not built for other machines, and says so', async () => {
  const recipe = { module: 'm', version: 'v1', builds: [], ldflags: [], cgo: true };
  const workshop = { build: () => Promise.reject(new Error('built')) } as unknown as GoWorkshop;
  const context = { arch: other, workDir: '/nowhere', root: '/nowhere', report: () => {} } as const;
  const supply = (cgo: boolean) =>
    goBuildSource([RUNC.file(RUNC.version, other)], { ...recipe, cgo }, workshop).supply(context);
  await expect(supply(true)).rejects.toThrow(
    `m@v1 needs a C compiler for ${other}, and this machine is ${machineArch()}`,
  );
  await expect(supply(false)).rejects.toThrow('built');
});

it('its own architecture is never refused', () => {
  expect(() => refuseOtherArch(machineArch(), 'x')).not.toThrow();
});

it('releases have a published sum for both architectures', () => {
  for (const artifact of [KUBERNETES.kubelet, KUBERNETES.kubectl, RUNC]) {
    const sums = (['amd64', 'arm64'] as const).map((arch) => artifact.file(artifact.version, arch).digest);
    expect(sums.map(({ kind }) => kind)).toEqual(['known', 'known']);
    expect(new Set(sums.map((digest) => JSON.stringify(digest))).size).toBe(2);
  }
});
