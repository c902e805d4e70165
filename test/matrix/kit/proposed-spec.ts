import { hostNames, labRoles } from '../../../lab/roles.ts';
import { labSpec } from '../../../lab/spec.ts';
import type { ClusterSpecInput, LabHost } from '../../../lab/types.ts';
import type { MatrixCase } from './case.ts';

/** The spec that a lab of this case proposes, on a machine that can do everything; no lab is made. */
export function proposedSpec(each: Pick<MatrixCase, 'hosts'>): ClusterSpecInput {
  const hosts = hostNames(labRoles(each.hosts)).map(
    (name, index): LabHost => ({
      name,
      address: `10.77.0.${10 + index}`,
      port: 22,
      user: 'root',
      sshKey: '/root/key',
      hostKey: `SHA256:${'A'.repeat(42)}${index % 10}`,
    }),
  );
  return labSpec(
    { name: 'matrix', hosts, virtualAddress: '10.77.0.9', mirror: 'http://10.77.0.1:8090' },
    { cgroupV2: false, sysResource: false, swap: false },
  );
}
