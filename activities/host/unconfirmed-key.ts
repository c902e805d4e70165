import { KubewrightError } from '../../contracts/errors.ts';
import type { SshTarget } from '../../contracts/host.ts';

/** The name under which the pool and the store keep the host key of a bastion. */
export const jumpName = ({ address, port }: Pick<SshTarget, 'address' | 'port'>): string => `jump:${address}:${port}`;

/** Why a password was not sent: what was shown, and how to confirm it. */
export function unconfirmedKey(cluster: string, target: SshTarget, shown: string): KubewrightError {
  const { name, address, port } = target;
  const jump = name === jumpName(target);
  const route = `POST /clusters/${cluster}/hosts/{host}/host-key with ${JSON.stringify({ fingerprint: shown, ...(jump ? { jump: true } : {}) })}`;
  return new KubewrightError(
    'SSH_HOST_KEY_UNCONFIRMED',
    `${address}, port ${port}, shows a host key that is not confirmed: no password was sent to it`,
    {
      host: name,
      evidence: `shown ${shown}\ncompare it on the machine (ssh-keygen -lf), then: ${jump ? route : route.replace('{host}', name)}\nor set ${jump ? 'jump.hostKey' : 'hostKey'} in the ssh settings of the spec`,
    },
  );
}
