import { z } from 'zod';

/** What is removed by itself after a number of days. `journal`: of operations that a bundle sealed. */
export const RETAINED = ['journal', 'blobs', 'events', 'bundles', 'requests', 'tokens'] as const;
export type Retained = (typeof RETAINED)[number];

/** Days that each is kept; undefined: for ever. */
export type Retention = { readonly [what in Retained]?: number | undefined };

const days = z.preprocess(
  (text) => (text === '' ? undefined : text),
  z.coerce.number().int().min(1).max(36_500).optional(),
);

/** The environment of the API process that sets it, in days: `KUBEWRIGHT_RETENTION_JOURNAL_DAYS` and so on. */
export const retentionEnvironment = {
  KUBEWRIGHT_RETENTION_JOURNAL_DAYS: days,
  KUBEWRIGHT_RETENTION_BLOBS_DAYS: days,
  KUBEWRIGHT_RETENTION_EVENTS_DAYS: days,
  KUBEWRIGHT_RETENTION_BUNDLES_DAYS: days,
  KUBEWRIGHT_RETENTION_REQUESTS_DAYS: days,
  KUBEWRIGHT_RETENTION_TOKENS_DAYS: days,
};

/** What the parsed environment says. */
export function retentionOf(env: { [name in keyof typeof retentionEnvironment]?: number | undefined }): Retention {
  return {
    journal: env.KUBEWRIGHT_RETENTION_JOURNAL_DAYS,
    blobs: env.KUBEWRIGHT_RETENTION_BLOBS_DAYS,
    events: env.KUBEWRIGHT_RETENTION_EVENTS_DAYS,
    bundles: env.KUBEWRIGHT_RETENTION_BUNDLES_DAYS,
    requests: env.KUBEWRIGHT_RETENTION_REQUESTS_DAYS,
    tokens: env.KUBEWRIGHT_RETENTION_TOKENS_DAYS,
  };
}
