import { resolve } from 'node:path';
import { z } from 'zod';
import { type TemporalTarget, temporalTarget } from '../codec/temporal-target.ts';
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
  ...metricsEnvironment,
  ...loginPathEnvironment,
  ...timeoutEnvironment,
});

/** The configuration of a worker process. */
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
  temporal: TemporalTarget & { address: string };
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
  const { target, problems: unusable } = temporalTarget(env);
  problems.push(...unusable);
  if (target.address === undefined && unusable.length === 0) {
    problems.push('TEMPORAL_ADDRESS: is needed: a worker starts no Temporal');
  }
  if (given('KUBEWRIGHT_DATABASE_URL') && !given('KUBEWRIGHT_SECRET_KEY')) {
    problems.push('KUBEWRIGHT_SECRET_KEY is needed with PostgreSQL: API and workers share it');
  }
  const metrics = metricsAddress(parsed.success ? parsed.data : {}, problems);
  if (!parsed.success || problems.length > 0) throw new Error(`configuration:\n${problems.join('\n')}`);

  const values = parsed.data;
  return {
    dataDir: resolve(values.KUBEWRIGHT_DATA),
    databaseUrl: values.KUBEWRIGHT_DATABASE_URL,
    secretKey: values.KUBEWRIGHT_SECRET_KEY,
    logLevel: values.KUBEWRIGHT_LOG_LEVEL,
    timeouts: timeoutsOf(values),
    loginPaths: loginPathsOf(values),
    metrics,
    temporal: { ...target, address: target.address! },
  };
}
