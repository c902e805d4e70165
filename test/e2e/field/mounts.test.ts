import { expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();

it.each([
  ['noexec', /^\/opt\/cni\/bin is mounted noexec, and programs are run from \/opt\/cni\/bin$/],
  ['ro', /^\/opt\/cni\/bin is mounted read-only, and files of the cluster go to \/opt\/cni\/bin$/],
])('a folder of programs that is mounted %s is named with its mount point', async (option, message) => {
  await field.prepared(
    'cp-1',
    `mkdir -p /opt/cni/bin; mount -t tmpfs -o ${option} tmpfs /opt/cni/bin`,
    'umount /opt/cni/bin; rmdir -p /opt/cni/bin 2>/dev/null || :',
    async () => {
      const { error } = await field.refused(field.spec('field-mounts'));
      expect(error).toMatchObject({ code: 'MOUNT_OPTIONS_UNUSABLE', message: expect.stringMatching(message) });
      expect(error.evidence).toContain(`findmnt /opt/cni/bin: /opt/cni/bin ${option === 'ro' ? 'ro' : 'rw,noexec'}`);
    },
  );
});
