import { expect, it } from 'vitest';
import type { Change } from '../../../contracts/operation.ts';
import { Field } from './field.ts';

const field = new Field();

/** A second disk by links of every kind: to a folder, a chain, a relative one, one above; and a bind mount. */
const PREPARE = `
mkdir -p /var/disk2/kubelet /var/disk2/deep/containerd /var/disk2/etcd/lost+found /var/disk2/cni /var/disk2/kubernetes /var/disk2/pods /var/disk2/registry
[ ! -e /var/lib/kubelet ] || umount /var/lib/kubelet 2>/dev/null || :
for path in /var/lib/kubelet /var/lib/containerd /var/lib/etcd /etc/kubernetes /opt/cni /var/log/pods; do [ ! -d $path ] || rmdir $path; done
ln -s /var/disk2/kubelet /var/lib/kubelet
ln -s /var/hop /var/lib/containerd; ln -s disk2/deep/containerd /var/hop
ln -s ../disk2/etcd /var/lib/etcd
ln -s /var/disk2/cni /opt/cni
ln -s /var/disk2/kubernetes /etc/kubernetes
ln -s /var/disk2/pods /var/log/pods
mkdir -p /var/lib/registry; mount --bind /var/disk2/registry /var/lib/registry
`;
const UNDO = `
umount /var/lib/registry 2>/dev/null || :; rmdir /var/lib/registry 2>/dev/null || :
rm -f /var/lib/kubelet /var/lib/containerd /var/hop /var/lib/etcd /opt/cni /etc/kubernetes /var/log/pods
rm -rf /var/disk2
`;

it('a cluster whose data is on another disk is built, and its teardown leaves nothing there', async () => {
  await field.prepared('cp-1', PREPARE, UNDO, async () => {
    const spec = field.spec('field-links');
    const name = spec.metadata.name;
    try {
      await field.built(spec);
      const again = await field.built(spec);
      expect(again.tasks.map(({ changeCount }) => changeCount)).toEqual(again.tasks.map(() => 0));
      // Tokens of service accounts are on tmpfs, at their real place.
      expect(await field.on('cp-1', 'grep -c " /var/disk2/kubelet/pods/" /proc/self/mountinfo')).not.toBe('0\n');
      const preview = await field.api.request<{ hosts: { changes: Change[] }[] }>(
        'DELETE',
        `/clusters/${name}?confirm=${name}&dryRun=true`,
      );
      const detail = preview.hosts
        .flatMap(({ changes }) => changes)
        .find(({ resource }) => resource === 'leftover:/var/lib/kubelet');
      expect(detail).toMatchObject({
        action: 'remove',
        detail: expect.stringMatching(/^what was in \/var\/disk2\/kubelet, where the link leads.*mounts/) as string,
      });
    } finally {
      await field.remove(name);
    }
    expect(await field.on('cp-1', 'find /var/disk2 ! -type d; grep -c /var/disk2/ /proc/self/mountinfo || :')).toBe(
      '1\n',
    );
    expect(await field.on('cp-1', 'cd /var/disk2; ls -d etcd/* registry/* kubelet/* cni/* 2>/dev/null || :')).toBe(
      'etcd/lost+found\n',
    );
    expect(await field.on('cp-1', 'readlink /var/lib/kubelet /var/lib/etcd /etc/kubernetes')).toBe(
      '/var/disk2/kubelet\n../disk2/etcd\n/var/disk2/kubernetes\n',
    );
  });
});
