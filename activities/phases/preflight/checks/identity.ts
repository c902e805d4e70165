import { internalAddress } from '../../../../contracts/cluster.ts';
import { defineCheck, type Problem } from '../check.ts';
import { isMachineId } from '../machines.ts';

export default defineCheck({
  name: 'identity',
  about: 'identity',
  title: 'One machine is one host',
  looks:
    '/etc/machine-id, and whether another host of the cluster has the same one or its address is on this machine; on every host.',
  codes: ['HOST_IDENTITY_CLASH'],
  probe: {
    script: `ip -o -4 addr show 2>/dev/null | while read -r _ _ _ address _; do say address "\${address%/*}"; done`,
    args: () => [],
  },
  evaluate({ cluster, host, facts, twin: double }, rows) {
    const problem = (message: string, evidence: string): Problem<'HOST_IDENTITY_CLASH'> => ({
      code: 'HOST_IDENTITY_CLASH',
      message,
      evidence,
    });
    const addresses = rows.flatMap(([, address]) => (address ? [address] : []));
    const problems: Problem<'HOST_IDENTITY_CLASH'>[] = [];
    if (!isMachineId(facts.machineId)) {
      problems.push(problem('the host has no machine-id', `/etc/machine-id: ${JSON.stringify(facts.machineId)}`));
    }
    const twin = cluster.spec.hosts.find(
      (each) => each.name !== host.name && addresses.includes(internalAddress(each)),
    );
    if (twin) {
      const evidence = `its addresses: ${addresses.join(', ')}; ${twin.name} is ${internalAddress(twin)}`;
      problems.push(problem(`the host is ${twin.name} too: one machine cannot be two hosts`, evidence));
    } else if (double) {
      const evidence = `machine-id of both: ${facts.machineId}`;
      problems.push(problem(`the host and ${double.name} are one machine, or one is a copy of the other`, evidence));
    }
    return problems;
  },
});
