import { type Answer, readCall } from './ask.ts';
import type { Message } from './protobuf.ts';
import { clusterIdOf, rangeOf } from './requests.ts';

/**
 * The oldest etcd that Kubernetes works with: MinExternalEtcdVersion of kubeadm 1.36 (cmd/kubeadm/app/constants). Older ones have
 * faults in watches that API servers depend on.
 */
export const OLDEST_ETCD = '3.5.24';

/** What the probe of preflight asks of each endpoint, in this order. */
export const QUESTIONS = ['version', 'health', 'keys', 'marker', 'write', 'compact'] as const;
export type Question = (typeof QUESTIONS)[number];

/** Why an endpoint cannot be used. */
export interface EndpointProblem {
  code:
    | 'EXTERNAL_ETCD_UNREACHABLE'
    | 'EXTERNAL_ETCD_TLS_FAILED'
    | 'EXTERNAL_ETCD_UNSUITABLE'
    | 'EXTERNAL_ETCD_UNHEALTHY'
    | 'EXTERNAL_ETCD_FORBIDDEN';
  message: string;
  evidence: string;
}

/** What an endpoint is like. */
export interface EndpointView {
  endpoint: string;
  problem: EndpointProblem | null;
  version: string;
  /** Of the etcd cluster. */
  clusterId: string;
  /** Keys below the prefix: how many, and the first of them. */
  keys: { count: number; first: string[] };
  /** Value of the marker; null: none. */
  marker: string | null;
  /** The shortest time of a transaction that a majority agreed on, ms; null where none was answered. */
  writeMs: number | null;
}

/** Exit codes of curl for an address that cannot be reached: proxy, name, connection, timeout. */
const UNREACHABLE = [5, 6, 7, 28];
const GRPC = { deadline: 4, forbidden: 7, exhausted: 8, unavailable: 14, unauthenticated: 16 } as const;

/** What one endpoint is like by its answers. Pure; never throws. */
export function viewOf(
  endpoint: string,
  answers: readonly { question: string; answer: Answer }[],
  prefix: string,
): EndpointView {
  const view: EndpointView = {
    ...{ endpoint, problem: null, version: '', clusterId: '', marker: null, writeMs: null },
    keys: { count: 0, first: [] },
  };
  const problem = (code: EndpointProblem['code'], message: string, evidence: string): EndpointView => ({
    ...view,
    problem: { code, message, evidence: `${endpoint}: ${evidence}` },
  });
  for (const { question, answer } of answers) {
    if (answer.exit !== 0) {
      const { code, message } = noAnswer(endpoint, answer);
      return problem(code, message, `${question}: ${answer.why || `exit code ${answer.exit} of curl`}`);
    }
    if (question === 'version') {
      const version = versionOf(answer);
      if (version === null)
        return problem('EXTERNAL_ETCD_UNSUITABLE', `${endpoint} is no etcd`, shown('/version', answer));
      view.version = version;
      if (isOlder(version, OLDEST_ETCD)) {
        const message = `${endpoint} has etcd ${version}; Kubernetes needs ${OLDEST_ETCD} or a later 3.x`;
        return problem('EXTERNAL_ETCD_UNSUITABLE', message, shown('/version', answer));
      }
      continue;
    }
    if (question === 'health') {
      if (json(answer)?.['health'] === 'true') continue;
      return problem('EXTERNAL_ETCD_UNHEALTHY', `${endpoint} is not healthy`, shown('/health', answer));
    }
    const call = readCall(answer);
    if ('why' in call) {
      const { code, message } = refusedCall(endpoint, question as Question, call, prefix);
      return problem(code, message, `${question}: ${call.why}`);
    }
    note(view, question as Question, call.message, answer.ms);
  }
  const missing = QUESTIONS.find((each) => !answers.some(({ question }) => question === each));
  if (missing)
    return problem('EXTERNAL_ETCD_UNREACHABLE', `${endpoint} does not answer in time`, `no answer to ${missing}`);
  return view;
}

function note(view: EndpointView, question: Question, message: Message, ms: number): void {
  view.clusterId = clusterIdOf(message);
  if (question === 'keys') {
    const { keys, count } = rangeOf(message);
    view.keys = { count, first: keys };
  }
  if (question === 'marker') view.marker = rangeOf(message).values[0] ?? null;
  if (question === 'write') view.writeMs = Math.min(view.writeMs ?? Number.POSITIVE_INFINITY, ms);
}

function noAnswer(endpoint: string, { exit }: Answer): Pick<EndpointProblem, 'code' | 'message'> {
  if (UNREACHABLE.includes(exit))
    return { code: 'EXTERNAL_ETCD_UNREACHABLE', message: `${endpoint} cannot be reached` };
  // 2: curl of the host was built without HTTP/2; 1000: a stranger's flood.
  if (exit === 2 || exit === 1 || exit >= 1000)
    return { code: 'EXTERNAL_ETCD_UNSUITABLE', message: `${endpoint} cannot be asked as an etcd` };
  if (exit === 60)
    return {
      code: 'EXTERNAL_ETCD_TLS_FAILED',
      message: `the certificate of ${endpoint} is not of the CA of the credential, or not for this name`,
    };
  return {
    code: 'EXTERNAL_ETCD_TLS_FAILED',
    message: `${endpoint} does not accept the client certificate of the credential, or does not use TLS`,
  };
}

function refusedCall(
  endpoint: string,
  question: Question,
  { code, why }: { code: number | null; why: string },
  prefix: string,
): Pick<EndpointProblem, 'code' | 'message'> {
  if (code === null) return { code: 'EXTERNAL_ETCD_UNSUITABLE', message: `${endpoint} does not answer as an etcd` };
  const isRight =
    code === GRPC.forbidden || code === GRPC.unauthenticated || /\b(user name|auth|permission)\b/.test(why);
  if (isRight) {
    const what = { compact: 'write the key compact_rev_key', write: `write keys below ${prefix}/` } as Partial<
      Record<Question, string>
    >;
    const may = what[question] ?? `read the keys below ${prefix}/`;
    return { code: 'EXTERNAL_ETCD_FORBIDDEN', message: `the client certificate may not ${may} at ${endpoint}` };
  }
  const waits = code === GRPC.unavailable || code === GRPC.deadline;
  const reason = code === GRPC.exhausted ? 'refuses writes' : waits ? 'has no majority' : 'refuses requests';
  return { code: 'EXTERNAL_ETCD_UNHEALTHY', message: `${endpoint} ${reason}` };
}

const shown = (path: string, { status, body }: Answer): string =>
  `GET ${path}: HTTP ${status} ${body.toString('utf8').slice(0, 200).trim()}`;

function json({ status, body }: Answer): Record<string, unknown> | null {
  if (status < 200 || status > 599) return null;
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The version that an etcd names; null: it is none. */
function versionOf(answer: Answer): string | null {
  const version = json(answer)?.['etcdserver'];
  return typeof version === 'string' && /^\d{1,4}\.\d{1,4}\.\d{1,4}(-[\w.+-]{1,40})?$/.test(version) ? version : null;
}

/** Another major version counts as older: no Kubernetes works with it. */
function isOlder(version: string, least: string): boolean {
  const parts = (text: string) => text.split('-')[0]!.split('.').map(Number) as [number, number, number];
  const [is, needs] = [parts(version), parts(least)];
  if (is[0] !== needs[0]) return true;
  return is[1] < needs[1] || (is[1] === needs[1] && is[2] < needs[2]);
}
