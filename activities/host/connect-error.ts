import { KubewrightError } from '../../contracts/errors.ts';

/** ssh2's words when key exchange, ciphers or types of host keys do not meet: trying again changes nothing. */
export const NOTHING_IN_COMMON = /no matching (key exchange|host key|c2s|s2c|\S+ cipher|\S+ MAC)/i;

/** Says in product words why no connection came about. `where` names host, user, address and port. */
export function connectError(error: unknown, host: string, where: string): KubewrightError {
  if (KubewrightError.is(error)) return error;
  const { message, level, code } = parts(error);
  const more = { cause: error, host, evidence: code === undefined ? message : `${code}: ${message}` };
  // The second: sshd's own words when an agent offers more keys than MaxAuthTries.
  if (level === 'client-authentication' || /too many authentication failures/i.test(message)) {
    return new KubewrightError('SSH_AUTH_FAILED', `${where} refused our credential`, more);
  }
  return new KubewrightError('SSH_UNREACHABLE', `${where} ${reason(code, message)}`, more);
}

/** ssh2 marks its errors with a level, Node's carry a code, node-ssh's mean "closed before it was ready". */
function parts(error: unknown): { message: string; level: string | undefined; code: string | undefined } {
  if (typeof error !== 'object' || error === null) {
    return { message: String(error), level: undefined, code: undefined };
  }
  const text = (key: string): string | undefined => {
    const value: unknown = (error as Record<string, unknown>)[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  // With several addresses Node throws an AggregateError with an empty message.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const message = text('message') ?? (first instanceof Error ? first.message : 'unknown error');
  return { message, level: text('level'), code: text('code') };
}

function reason(code: string | undefined, message: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'refuses connections: nothing listens there';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'cannot be reached: no route';
    case 'ETIMEDOUT':
      return 'does not answer';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'cannot be resolved to an address';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'closed the connection before the login';
    default:
  }
  if (/timed? ?out/i.test(message)) return 'does not answer in time';
  if (NOTHING_IN_COMMON.test(message)) return 'has no algorithm in common with us';
  if (/handshake/i.test(message)) return 'did not complete the SSH handshake';
  return 'cannot be reached';
}
