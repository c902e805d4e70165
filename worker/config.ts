import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { loginPathEnvironment, loginPathsOf } from '../contracts/login-paths.ts';
import { type Timeouts, timeoutEnvironment, timeoutsOf } from '../contracts/timeouts.ts';
import { type Environment, secretEnvironment } from '../store/secret-environment.ts';
import { type MetricsAddress, metricsAddress, metricsEnvironment } from './metrics-address.ts';

const text = z.string().max(4096);
/** An environment variable that is set to nothing is not set. */
const optional = text.optional().transform((value) => (value === '' ? undefined : value));

/** Environment of a stand-alone worker; the names are those of the API process. */
const environment = z.object({
  KUBEWRIGHT_DATA: text.min(1).default('./.kubewright'),
  KUBEWRIGHT_DATABASE_URL: optional.refine(
    (url) => url === undefined || /^postgres(ql)?:\/\//.test(url),
    'must begin with postgres://',
  ),
  KUBEWRIGHT_SECRET_KEY: optional,
  KUBEWRIGHT_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  TEMPORAL_ADDRESS: z
    .string({ error: 'is needed: a worker starts no Temporal' })
    .max(256)
    .regex(/^[A-Za-z0-9.:[\]-]+:\d{1,5}$/, 'must be host:port'),
  TEMPORAL_NAMESPACE: optional,
  KUBEWRIGHT_TEMPORAL_TLS_CA: optional,
  KUBEWRIGHT_TEMPORAL_TLS_CERT: optional,
  KUBEWRIGHT_TEMPORAL_TLS_KEY: optional,
  ...metricsEnvironment,
  ...loginPathEnvironment,
  ...timeoutEnvironment,
});

/** What a stand-alone worker is told by its environment. */
export interface WorkerConfig {
  /** Absolute. */
  dataDir: string;
  /** PostgreSQL; without one the SQLite file of the data directory. */
  databaseUrl: string | undefined;
  secretKey: string | undefined;
  logLevel: string;
  timeouts: Timeouts;
  /** Whose key files and agents every operator may name. */
  loginPaths: string[];
  /** Where `/metrics` is served; null: nowhere. */
  metrics: MetricsAddress | null;
  address: string;
  namespace: string | undefined;
  /** For a Temporal server with TLS. */
  tls: { serverRootCACertificate?: Buffer; clientCertPair?: { crt: Buffer; key: Buffer } } | undefined;
}

/** Parse the environment, secrets from files included. Throws one Error that names every problem. */
export function workerConfig(environmentGiven: Environment): WorkerConfig {
  const { env, problems } = secretEnvironment(environmentGiven);
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`));
  }
  // A file that could not be read is not missing: it has a sentence of its own.
  const given = (name: string) => [name, `${name}_FILE`].some((each) => (environmentGiven[each] ?? '') !== '');
  if (given('KUBEWRIGHT_TEMPORAL_TLS_CERT') !== given('KUBEWRIGHT_TEMPORAL_TLS_KEY')) {
    problems.push('KUBEWRIGHT_TEMPORAL_TLS_CERT and KUBEWRIGHT_TEMPORAL_TLS_KEY go together');
  }
  if (given('KUBEWRIGHT_DATABASE_URL') && !given('KUBEWRIGHT_SECRET_KEY')) {
    problems.push('KUBEWRIGHT_SECRET_KEY is needed with PostgreSQL: API and workers share it');
  }
  const metrics = metricsAddress(parsed.success ? parsed.data : {}, problems);
  if (!parsed.success || problems.length > 0) throw new Error(`configuration:\n${problems.join('\n')}`);

  const values = parsed.data;
  const ca = values.KUBEWRIGHT_TEMPORAL_TLS_CA;
  const { KUBEWRIGHT_TEMPORAL_TLS_CERT: crt, KUBEWRIGHT_TEMPORAL_TLS_KEY: key } = values;
  const tls = {
    ...(ca ? { serverRootCACertificate: readFileSync(ca) } : {}),
    ...(crt && key ? { clientCertPair: { crt: readFileSync(crt), key: readFileSync(key) } } : {}),
  };
  return {
    dataDir: resolve(values.KUBEWRIGHT_DATA),
    databaseUrl: values.KUBEWRIGHT_DATABASE_URL,
    secretKey: values.KUBEWRIGHT_SECRET_KEY,
    logLevel: values.KUBEWRIGHT_LOG_LEVEL,
    timeouts: timeoutsOf(values),
    loginPaths: loginPathsOf(values),
    metrics,
    address: values.TEMPORAL_ADDRESS,
    namespace: values.TEMPORAL_NAMESPACE,
    tls: ca || crt ? tls : undefined,
  };
}
