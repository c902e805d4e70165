import { Connection } from '@temporalio/client';
import { keepEnds } from '../contracts/cut.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { TemporalTarget } from './temporal-target.ts';

/** Status codes of gRPC that mean more than an unreachable server. */
const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;

/** What OpenSSL and Node say of a handshake that failed: certificates, authorities, names, plaintext against TLS. */
const HANDSHAKE =
  /certificate|self[- ]signed|unable to (get|verify)|altname|unknown ca|SSL routines|tlsv1|wrong version number|EPROTO|alert (number )?\d+|HTTP\/1|Protocol error|packet length too long/i;
/** A server that closes at once, over and over: TLS of one side only, or a certificate that it will not have. */
const CLOSED =
  /Last error: Failed to connect|ECONNRESET|socket hang up|Connection dropped|write EPIPE|Client network socket disconnected/i;

/**
 * What keeps Temporal from taking us, when trying again changes nothing: TEMPORAL_TLS_FAILED, TEMPORAL_NOT_ALLOWED. Null
 * for everything else. `isLast` false: a server that only closes its connections may still be starting.
 */
export function temporalTrouble(error: unknown, address: string, isLast = true): KubewrightError | null {
  const { code, details } = root(error);
  const words = keepEnds(details, 500);
  if (code === UNAUTHENTICATED || code === PERMISSION_DENIED) {
    return new KubewrightError('TEMPORAL_NOT_ALLOWED', `the Temporal server at ${address} refuses our credentials`, {
      cause: error,
      evidence: words,
    });
  }
  if (!HANDSHAKE.test(words) && !(isLast && CLOSED.test(words))) return null;
  return new KubewrightError('TEMPORAL_TLS_FAILED', `no TLS with the Temporal server at ${address}`, {
    cause: error,
    evidence: words,
  });
}

const KNOCK_MS = 5_000;

/**
 * Ask once, without the SDK's repetitions, whose last words hide the first ones. Null when Temporal answers, or when
 * another try may help.
 */
export async function knockAtTemporal({ address = '', connect }: Omit<TemporalTarget, 'namespace'>) {
  const connection = Connection.lazy({ ...connect, address, interceptors: [] });
  try {
    await connection.withDeadline(Date.now() + KNOCK_MS, () => connection.workflowService.getSystemInfo({}));
    return null;
  } catch (error) {
    return temporalTrouble(error, address);
  } finally {
    await connection.close();
  }
}

/** The gRPC error below what the SDK wrapped around it. */
function root(error: unknown): { code: unknown; details: string } {
  for (let each = error, depth = 0; depth < 5 && typeof each === 'object' && each !== null; depth++) {
    const { code, details, cause } = each as { code?: unknown; details?: unknown; cause?: unknown };
    if (typeof code === 'number') return { code, details: typeof details === 'string' ? details : messageOf(each) };
    each = cause;
  }
  return { code: undefined, details: messageOf(error) };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
