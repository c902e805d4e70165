import { expect, it } from 'vitest';
import { Field } from './field.ts';
import { HOSTILE, NOT_HOSTILE } from './hostile-proxy.ts';

const field = new Field();
const NAME = 'field-proxies';
const HOSTS = ['cp-1', 'worker-1', 'worker-2'];

it('three hosts with an unreachable proxy in every setting become a cluster; restarted units do not use it either', async () => {
  const onAll = (script: string) => Promise.all(HOSTS.map((host) => field.on(host, script)));
  try {
    await onAll(HOSTILE);
    const spec = field.spec(NAME, { hosts: 3 });
    await field.built(spec);
    // The environment of a login, of the manager, and of drop-ins: none of it reaches what was started by them later.
    await onAll('systemctl restart containerd kubelet');
    await field.on('cp-1', 'systemctl restart kube-apiserver');
    const again = await field.built(spec);
    expect(again.tasks.map(({ changeCount }) => changeCount)).toEqual(again.tasks.map(() => 0));
    const found = await onAll(`
for unit in containerd kubelet kube-proxy flanneld etcd kube-apiserver kube-controller-manager kube-scheduler registry; do
  pid=$(systemctl show -P MainPID "$unit.service")
  [ "$pid" = 0 ] || ! tr '\\0' '\\n' <"/proc/$pid/environ" | grep -i '_proxy=' || echo "$unit"
done`);
    expect(found).toEqual(['', '', '']);
  } finally {
    await field.remove(NAME);
    await onAll(NOT_HOSTILE);
  }
});
