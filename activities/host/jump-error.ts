import { KubewrightError } from '../../contracts/errors.ts';
import type { SshTarget } from '../../contracts/host.ts';
import { connectError } from './connect-error.ts';
import { jumpName } from './unconfirmed-key.ts';

/** Reasons with which an SSH server refuses a channel (RFC 4254, 5.1). */
const ADMINISTRATIVELY_PROHIBITED = 1;
const CONNECT_FAILED = 2;

/**
 * Why a host was not reached through its jump host, so that the machine that is to blame is named: the jump host itself
 * (its login; SSH_JUMP_REFUSED when it forwards nothing), or the host, as the jump host sees it.
 */
export function jumpError(error: unknown, target: SshTarget, jump: NonNullable<SshTarget['jump']>): KubewrightError {
  const { name, address, port, user } = target;
  const bastion = `the jump host ${jump.address} (${jump.user}@${jump.address}, port ${jump.port})`;
  if (KubewrightError.is(error)) {
    // Its own name in the pool says nothing to a reader.
    const own = error.message.replace(/^jump:\S+ \([^)]*\)/, bastion).replaceAll(jumpName(jump), 'the jump host');
    return new KubewrightError(error.code, `${name} was not tried, through jump host ${jump.address}: ${own}`, {
      cause: error,
      host: name,
      evidence: error.evidence,
    });
  }
  const { reason, message = '' } = error as { reason?: unknown; message?: string };
  const where = `${name} (${user}@${address}, port ${port})`;
  const refusal = message.replace(/^\(SSH\) Channel open failure: /, '').trim() || 'it said nothing more';
  if (reason === ADMINISTRATIVELY_PROHIBITED) {
    const problem = `${bastion} forwards no connection to ${address}, port ${port}: ${name} was not tried`;
    return new KubewrightError('SSH_JUMP_REFUSED', problem, { cause: error, host: name, evidence: refusal });
  }
  if (reason === CONNECT_FAILED) {
    const problem = `${where} cannot be reached from ${bastion}: ${refusal}`;
    return new KubewrightError('SSH_UNREACHABLE', problem, { cause: error, host: name, evidence: refusal });
  }
  return connectError(error, name, `${where}, through ${bastion},`);
}
