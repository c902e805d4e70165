import { expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();

it('a server on a port of ours is named with its process', async () => {
  await field.prepared(
    'cp-1',
    `systemd-run --quiet --unit theirs-web systemd-socket-activate --listen 6443 /bin/true
     for _ in $(seq 50); do ss -H -l -t -n | grep -q ':6443 ' && exit; sleep 0.1; done; exit 1`,
    'systemctl stop theirs-web.service',
    async () => {
      const { error } = await field.refused(field.spec('field-ports'));
      expect(error.code).toBe('PORT_IN_USE');
      expect(error.message).toMatch(/port 6443 is taken by systemd-socket\S* \(pid \d+\)/);
      expect(error.evidence).toMatch(/wanted for \/usr\/local\/bin\/kube-apiserver/);
    },
  );
});
