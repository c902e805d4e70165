import { expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();

/** The lab's own thresholds let every disk pass: these tests are about others. */
const thresholds = (evictionHard: Record<string, string>) => {
  const own = field.lab.spec.spec['phases'] as { nodes: { kubelet: { config: Record<string, unknown> } } };
  return { nodes: { kubelet: { config: { ...own.nodes.kubelet.config, evictionHard } } } };
};

it('less free space than the kubelet needs is refused, with file system, free space and threshold', async () => {
  const { error } = await field.refused(
    field.spec('field-disk', { phases: thresholds({ 'imagefs.available': '99%', 'memory.available': '1Ti' }) }),
  );
  expect(error.code).toBe('NODE_WOULD_EVICT');
  expect(error.message).toMatch(/would evict pods at once: .*\(and 1 more/);
  expect(error.evidence).toMatch(
    /imagefs \(\S+ on \S+, for \/var\/lib\/containerd\): [\d.]+ GiB of [\d.]+ GiB free \([\d.]+ %\).*below 99 % \([\d.]+ GiB\)/,
  );
  expect(error.evidence).toMatch(/memory available; the kubelet evicts pods below 1024\.0 GiB/);
});

it('a second disk behind a link is the one that counts', async () => {
  await field.prepared(
    'cp-1',
    `[ ! -d /var/lib/containerd ] || rmdir /var/lib/containerd
     mkdir -p /mnt/second && mount -t tmpfs -o size=64m second /mnt/second
     mkdir /mnt/second/containerd && ln -s /mnt/second/containerd /var/lib/containerd`,
    'rm -f /var/lib/containerd; umount /mnt/second; rmdir /mnt/second',
    async () => {
      const spec = field.spec('field-disk', { phases: thresholds({ 'imagefs.available': '15%' }) });
      const { error } = await field.refused(spec);
      expect(error.code).toBe('NODE_WOULD_EVICT');
      expect(error.message).toMatch(
        /imagefs \(second on \/mnt\/second, for \/var\/lib\/containerd\): 64 MiB of 64 MiB free .*below 15 %/,
      );
    },
  );
});
