import { internalAddress } from '../../../../contracts/cluster.ts';
import { defineCheck, type Problem } from '../check.ts';
import { isMachineId } from '../machines.ts';

export default defineCheck({
  name: 'identity',
  about: 'identity',
  title: 'Identity of the machine',
  inspects:
    '/etc/machine-id, and whether another host of the cluster has the same one or its address is on this machine; on every host.',
  codes: ['HOST_IDENTITY_CLASH'],
  probe: {
    script: `ip -o -4 addr show 2>/dev/null | while read -r _ _ _ address _; do say address "\${address%/*}"; done`,
    args: () => [],
  },
  evaluate({ cluster, host, facts, duplicateHost: sameMachine }, rows) {
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
    const duplicateHost = cluster.spec.hosts.find(
      (each) => each.name !== host.name && addresses.includes(internalAddress(each)),
    );
    if (duplicateHost) {
      const evidence = `its addresses: ${addresses.join(', ')}; ${duplicateHost.name} is ${internalAddress(duplicateHost)}`;
      problems.push(problem(`the host is ${duplicateHost.name} too: one machine cannot be two hosts`, evidence));
    } else if (sameMachine) {
      const evidence = `machine-id of both: ${facts.machineId}`;
      problems.push(
        problem(`the host and ${sameMachine.name} are one machine, or one is a copy of the other`, evidence),
      );
    }
    return problems;
  },
});
