import type { Change } from '../../../contracts/operation.ts';
import { CURL } from '../../host/direct.ts';
import { quote } from '../../host/quote.ts';
import type { RemoteHost } from '../../host/types.ts';
import { ASK, callBody, type Message, readAnswers, readCall } from '../external-etcd/public.ts';
import type { OpenedCertificate } from '../phase.ts';
import { certificateFunctions } from '../preflight/public.ts';

/** A gRPC call: its path, and its message. */
export interface EtcdCall {
  path: string;
  message: Uint8Array;
}

/** What a call brought, or why nothing: words of etcd, or of curl. `code`: of gRPC; null: there was no answer of etcd. */
export type CallResult = { message: Message } | { code: number | null; why: string };

/** With which certificate etcd is asked: files of the host, or one of the user. */
export type EtcdAccess =
  | { ca: string; cert: string; key: string }
  | { credential: string; certificate: OpenedCertificate };

/**
 * Makes calls one after the other, through the first of the endpoints that answers. One round trip. Returns a result for each call that
 * was answered; where no endpoint answers, why the last one did not. Messages are no secrets: they are arguments of the script.
 */
export async function callEtcd(
  remote: RemoteHost,
  {
    access,
    endpoints,
    calls,
    changes = [],
  }: {
    access: EtcdAccess;
    endpoints: readonly string[];
    calls: readonly EtcdCall[];
    changes?: readonly Change[];
  },
): Promise<CallResult[]> {
  const isOwn = 'credential' in access;
  const functions = isOwn
    ? certificateFunctions(new Map([[access.credential, access.certificate]]))
    : `curl_as() { shift; ${CURL} --cacert ${quote(access.ca)} --cert ${quote(access.cert)} --key ${quote(access.key)} "$@"; }`;
  const words = calls.flatMap(({ path, message }) => [path, callBody(message)]);
  const { stdout } = await remote.script(
    `set +eu\n${functions}\n${CALL}`,
    [isOwn ? access.credential : 'files', endpoints.join(' '), ...words],
    { timeoutMs: 30_000 + calls.length * 5_000, okCodes: 'any', ...(changes.length > 0 ? { changes } : {}) },
  );
  const rows = stdout.split('\n').map((line) => line.split(' '));
  // The text behind the last line is no answer.
  const results = readAnswers(rows).flatMap(({ endpoint, answer }) => (endpoint === '' ? [] : [readCall(answer)]));
  // Endpoints that did not answer come before the one that did.
  const first = results.findIndex((result) => 'message' in result || result.code !== null);
  return first < 0 ? results.slice(-1) : results.slice(first);
}

const CALL = `say() { printf '%s\\n' "$*"; }
${ASK}
credential=$1 endpoints=$2
shift 2
for endpoint in $endpoints; do
  if ask call "$1" "$2"; then
    shift 2
    while [ $# -gt 1 ]; do ask call "$1" "$2" || exit 0; shift 2; done
    exit 0
  fi
done
exit 0
`;

/** etcd says that a user or role is there already: as good as made. */
export const isDone = (result: CallResult): boolean =>
  'message' in result || /already exist|already granted/i.test(result.why);
