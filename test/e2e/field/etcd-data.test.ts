import { expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();

/** An earlier cluster's data at a place, 40 days old, and kubeadm's manifest beside it. */
const earlier = (folder: string): string =>
  `mkdir -p ${folder}/member/wal ${folder}/member/snap /etc/kubernetes/manifests
   echo x >${folder}/member/wal/0000000000000000-0000000000000000.wal
   touch -d '40 days ago' ${folder}/member/wal/*.wal
   echo '    - --name=old-cp-1' >/etc/kubernetes/manifests/etcd.yaml`;

it('data of an earlier etcd is named with its age, and what to do', async () => {
  await field.prepared(
    'cp-1',
    earlier('/var/lib/etcd'),
    'rm -rf /var/lib/etcd/member /etc/kubernetes/manifests; rmdir /var/lib/etcd /etc/kubernetes 2>/dev/null || :',
    async () => {
      const { error } = await field.refused(field.spec('field-etcd-data'));
      expect(`${error.message}\n${error.evidence}`).toMatch(
        /\/var\/lib\/etcd\/member has the data of an earlier etcd, last written \S+ \(40 days ago\)/,
      );
      for (const words of ['ETCD_DATA_FOUND', 'old-cp-1', 'kubeadm', 'rm -rf /var/lib/etcd/member']) {
        expect(`${error.code}\n${error.evidence}`).toContain(words);
      }
      // Nothing of it was touched.
      expect(await field.on('cp-1', 'cat /var/lib/etcd/member/wal/*.wal; ls /var/lib/etcd')).toBe('x\nmember\n');
    },
  );
});

it('so is that behind a link, in the folder of the option', async () => {
  await field.prepared(
    'cp-1',
    `mkdir -p /var/theirs; ${earlier('/var/theirs/etcd')}; rm -r /etc/kubernetes/manifests; ln -s /var/theirs/etcd /var/etcd-link`,
    'rm -rf /var/theirs /var/etcd-link; rmdir /etc/kubernetes 2>/dev/null || :',
    async () => {
      const dry = await field.dryRun(
        field.spec('field-etcd-link', { phases: { etcd: { dataDir: '/var/etcd-link' } } }),
      );
      const error = dry.errors.find(({ host }) => host === 'cp-1')!;
      expect(error.code).toBe('ETCD_DATA_FOUND');
      expect(error.message).toContain('/var/etcd-link/member (really /var/theirs/etcd/member)');
    },
  );
});
