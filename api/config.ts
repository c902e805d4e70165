import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type AnchorConfig, anchorConfig, sinkEnvironment } from '../audit/sinks/config.ts';
import { type TemporalTarget, temporalTarget } from '../codec/temporal-target.ts';
import { loginPathEnvironment, loginPathsOf } from '../contracts/login-paths.ts';
import { type Retention, retentionEnvironment, retentionOf } from '../contracts/retention.ts';
import { type Timeouts, timeoutEnvironment, timeoutsOf } from '../contracts/timeouts.ts';
import { type Environment, secretEnvironment } from '../store/secret-environment.ts';
import { type ApiLimits, limitEnvironment, limitsOf } from './limits.ts';

const text = z.string().max(4096);
/** An environment variable that is set to nothing is not set. */
const optional = text.optional().transform((value) => (value === '' ? undefined : value));

/** Addresses and CIDRs, separated by commas. */
const proxyList = optional.transform((list, context) => {
  const entries = (list ?? '').split(',').map((each) => each.trim());
  const given = entries.filter((each) => each !== '');
  for (const each of given) {
    const [address = '', bits, ...more] = each.split('/');
    const family = isIP(address);
    const prefix = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
    if (family === 0 || !prefix || more.length > 0) {
      context.addIssue({ code: 'custom', message: `${each} is not an IP address or CIDR` });
    } else if (bits !== undefined && Number(bits) === 0) {
      context.addIssue({ code: 'custom', message: `${each} would let every caller choose an address` });
    }
  }
  return given;
});

const environment = z.object({
  KUBEWRIGHT_PROCESS: z.enum(['all', 'api']).default('all'),
  KUBEWRIGHT_DATA: text.min(1).default('./.kubewright'),
  KUBEWRIGHT_HOST: text.min(1).max(253).default('127.0.0.1'),
  KUBEWRIGHT_PORT: z.coerce.number().int().min(0).max(65535).default(8080),
  KUBEWRIGHT_DATABASE_URL: optional.refine(
    (url) => url === undefined || /^postgres(ql)?:\/\//.test(url),
    'must begin with postgres://',
  ),
  KUBEWRIGHT_SECRET_KEY: optional,
  KUBEWRIGHT_AUDIT_KEY: optional,
  KUBEWRIGHT_COMMAND_KEY: optional,
  ...sinkEnvironment,
  KUBEWRIGHT_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  KUBEWRIGHT_ALLOW_PLAINTEXT: z.enum(['0', '1', 'true', 'false', '']).default('0'),
  KUBEWRIGHT_CHECK_ANSWERS: optional,
  KUBEWRIGHT_MIN_FREE_MIB: optional.refine(
    (text) => text === undefined || /^\d{1,9}$/.test(text),
    'must be a number of MiB',
  ),
  KUBEWRIGHT_TLS_CERT: optional,
  KUBEWRIGHT_TLS_KEY: optional,
  KUBEWRIGHT_TRUST_PROXY: proxyList,
  KUBEWRIGHT_TEMPORAL_UI_ORIGIN: optional.refine(
    (origin) => origin === undefined || (URL.canParse(origin) && new URL(origin).origin === origin),
    'must be an origin, such as https://temporal.example.com',
  ),
  ...loginPathEnvironment,
  ...timeoutEnvironment,
  ...retentionEnvironment,
  ...limitEnvironment,
});

/** Rules over several variables. Checks the raw texts, so that one start reports all problems. */
function problemsTogether(env: Environment): string[] {
  const problems: string[] = [];
  // A file that could not be read is not missing: it has a sentence of its own.
  const given = (name: string) => [name, `${name}_FILE`].some((each) => (env[each] ?? '') !== '');
  const tls = given('KUBEWRIGHT_TLS_CERT') && given('KUBEWRIGHT_TLS_KEY');
  const plaintext = ['1', 'true'].includes(env['KUBEWRIGHT_ALLOW_PLAINTEXT'] ?? '');
  if (!tls && (given('KUBEWRIGHT_TLS_CERT') || given('KUBEWRIGHT_TLS_KEY'))) {
    problems.push('KUBEWRIGHT_TLS_CERT and KUBEWRIGHT_TLS_KEY must both be set');
  }
  if (given('KUBEWRIGHT_HOST') && !isLoopback(env['KUBEWRIGHT_HOST']!) && !tls && !plaintext) {
    problems.push(
      'KUBEWRIGHT_HOST is not loopback: tokens would cross the network in clear. Set KUBEWRIGHT_TLS_CERT and ' +
        'KUBEWRIGHT_TLS_KEY, or KUBEWRIGHT_ALLOW_PLAINTEXT=1 behind a proxy that terminates TLS',
    );
  }
  if (given('KUBEWRIGHT_DATABASE_URL') && !given('KUBEWRIGHT_SECRET_KEY')) {
    problems.push(
      'KUBEWRIGHT_SECRET_KEY is needed with PostgreSQL: API and workers share it (openssl rand -base64 32)',
    );
  }
  return problems;
}

/** The configuration of the API process. */
export interface ApiConfig {
  /** `all`: the API, which starts a worker and Temporal; `api`: the API alone. */
  process: 'all' | 'api';
  /** Absolute. */
  dataDir: string;
  host: string;
  port: number;
  databaseUrl: string | undefined;
  secretKey: string | undefined;
  /** Ed25519 in PEM; without it the file `audit.key` of the data directory. */
  auditKey: string | undefined;
  /** Ed25519 in PEM, signs commands; without it the file `command.key` of the data directory. */
  commandKey: string | undefined;
  logLevel: string;
  /** Of the worker, which reads them itself; parsed here so that a wrong value stops the start. */
  timeouts: Timeouts;
  /** Whose key files and agents every operator may name. */
  loginPaths: string[];
  retention: Retention;
  /** Free space below which the service is not ready, MiB; undefined: a default by the size of the file system. */
  minFreeMiB: number | undefined;
  limits: ApiLimits;
  tls: { cert: string; key: string } | undefined;
  /** Proxies whose X-Forwarded-For and X-Forwarded-Proto count: addresses and CIDRs. */
  trustProxy: readonly string[];
  /** Signed heads of the journal: how often, and where else they go. */
  anchors: AnchorConfig;
  /** Without an address the service starts a Temporal of its own. */
  temporal: TemporalTarget;
  /** Whose pages may call /codec; embedded, it is our own UI by itself. */
  temporalUiOrigin: string | undefined;
  /** Compare every answer with the OpenAPI document; this file gets a line for each that differs. Tests set it. */
  checkAnswers: string | undefined;
}

/** Parse the environment, secrets from files included. Throws one Error that names every problem. */
export function parseConfig(given: Environment): ApiConfig {
  const { env, problems } = secretEnvironment(given);
  const parsed = environment.safeParse(env);
  problems.push(...problemsTogether(given));
  const apiAlone = env['KUBEWRIGHT_PROCESS'] === 'api';
  const { target, problems: unusable } = temporalTarget(env, { ownServer: !apiAlone });
  problems.push(...unusable);
  if (apiAlone && target.address === undefined && unusable.length === 0) {
    problems.push('TEMPORAL_ADDRESS is needed by the API alone: it starts no Temporal');
  }
  if (!parsed.success) {
    problems.unshift(...parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  }
  if (!parsed.success || problems.length > 0) {
    throw new Error(`the configuration is wrong:\n${problems.map((line) => `  ${line}`).join('\n')}`);
  }
  const { data } = parsed;
  const [cert, key] = [data.KUBEWRIGHT_TLS_CERT, data.KUBEWRIGHT_TLS_KEY];
  return {
    process: data.KUBEWRIGHT_PROCESS,
    dataDir: resolve(data.KUBEWRIGHT_DATA),
    host: data.KUBEWRIGHT_HOST,
    port: data.KUBEWRIGHT_PORT,
    databaseUrl: data.KUBEWRIGHT_DATABASE_URL,
    secretKey: data.KUBEWRIGHT_SECRET_KEY,
    auditKey: data.KUBEWRIGHT_AUDIT_KEY,
    commandKey: data.KUBEWRIGHT_COMMAND_KEY,
    logLevel: data.KUBEWRIGHT_LOG_LEVEL,
    timeouts: timeoutsOf(data),
    loginPaths: loginPathsOf(data),
    retention: retentionOf(data),
    minFreeMiB: data.KUBEWRIGHT_MIN_FREE_MIB === undefined ? undefined : Number(data.KUBEWRIGHT_MIN_FREE_MIB),
    limits: limitsOf(data),
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    trustProxy: data.KUBEWRIGHT_TRUST_PROXY,
    anchors: anchorConfig(data),
    temporal: target,
    temporalUiOrigin: data.KUBEWRIGHT_TEMPORAL_UI_ORIGIN,
    checkAnswers: data.KUBEWRIGHT_CHECK_ANSWERS,
  };
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
