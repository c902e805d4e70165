import { expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();
const NAME = 'field-dns';
const KUBECTL = 'kubectl --kubeconfig /etc/kubewright/admin.kubeconfig';

it('a host whose only name server is itself becomes a cluster with the option that preflight names', async () => {
  // The host finds no package source without a name server.
  await field.install('cp-1', 'ca-certificates', 'chrony', 'conntrack', 'curl', 'iptables', 'nftables');
  await field.prepared(
    'cp-1',
    'cp -a /etc/resolv.conf /root/resolv.conf; rm -f /etc/resolv.conf; echo nameserver 127.0.0.1 >/etc/resolv.conf',
    'mv -f /root/resolv.conf /etc/resolv.conf; apt-get -q -y purge chrony >/dev/null 2>&1',
    async () => {
      try {
        // verify asks cluster DNS for a service by its name.
        await field.built(field.spec(NAME, { phases: { dns: { upstream: 'none' } } }));
        const restarts = `${KUBECTL} -n kube-system get pods -l k8s-app=kube-dns -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}'`;
        expect((await field.on('cp-1', restarts)).split(' ')).toEqual(['0']);
      } finally {
        await field.remove(NAME);
      }
    },
  );
});
