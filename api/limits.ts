import { z } from 'zod';

/** How much of the service one token, and all of them together, may use. */
export interface ApiLimits {
  /** Requests of one token: so many at once, and so many a minute in the long run. */
  requestsPerMinute: number;
  /** Those of them that leave records in the journal; viewers have a tenth of it. */
  recordsPerMinute: number;
  /** Followed histories, event streams and downloads that are open: of one token, of the installation. */
  streamsPerToken: number;
  streams: number;
  /** Dry runs and checks that have not ended, of the installation. */
  dryRuns: number;
}

/**
 * A page that polls ten things twice a second makes 1,200 requests a minute, and a script that decides about 1,000 hosts
 * one by one leaves 1,000 records.
 */
export const DEFAULT_LIMITS: ApiLimits = {
  requestsPerMinute: 3_000,
  recordsPerMinute: 1_000,
  streamsPerToken: 20,
  streams: 200,
  dryRuns: 10,
};

const MOST = 1_000_000;
const count = z.preprocess(
  (text: unknown): unknown => (text === '' ? undefined : text),
  z.coerce.number().int().min(1).max(MOST).optional(),
);

/** The environment of the API that sets them. For the schema of its configuration. */
export const limitEnvironment = {
  KUBEWRIGHT_LIMIT_REQUESTS_PER_MINUTE: count,
  KUBEWRIGHT_LIMIT_RECORDS_PER_MINUTE: count,
  KUBEWRIGHT_LIMIT_STREAMS_PER_TOKEN: count,
  KUBEWRIGHT_LIMIT_STREAMS: count,
  KUBEWRIGHT_LIMIT_DRY_RUNS: count,
};

/** What the parsed environment says, with defaults for the rest. */
export function limitsOf(env: { [name in keyof typeof limitEnvironment]?: number | undefined }): ApiLimits {
  return {
    requestsPerMinute: env.KUBEWRIGHT_LIMIT_REQUESTS_PER_MINUTE ?? DEFAULT_LIMITS.requestsPerMinute,
    recordsPerMinute: env.KUBEWRIGHT_LIMIT_RECORDS_PER_MINUTE ?? DEFAULT_LIMITS.recordsPerMinute,
    streamsPerToken: env.KUBEWRIGHT_LIMIT_STREAMS_PER_TOKEN ?? DEFAULT_LIMITS.streamsPerToken,
    streams: env.KUBEWRIGHT_LIMIT_STREAMS ?? DEFAULT_LIMITS.streams,
    dryRuns: env.KUBEWRIGHT_LIMIT_DRY_RUNS ?? DEFAULT_LIMITS.dryRuns,
  };
}
