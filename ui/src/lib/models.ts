import type { z } from 'zod';
import type { blockedHost, clusterDetail, clusterSummary, operationDetail, taskPage } from '../../../contracts/api.ts';

/** Answers of the API, as the schemas of contracts/api.ts name them. */
export type ClusterSummary = z.infer<typeof clusterSummary>;
export type ClusterDetail = z.infer<typeof clusterDetail>;
export type BlockedHost = z.infer<typeof blockedHost>;
export type TaskPage = z.infer<typeof taskPage>;
export type OperationDetail = z.infer<typeof operationDetail>;

/** The session of this browser: GET /sessions/current. */
export interface Session {
  id: string;
  expiresAt: string;
  actor: { name: string; role: 'viewer' | 'operator' | 'admin'; id: string };
  /** Clusters that it may access; null: all. */
  clusters: string[] | null;
}

export interface Page<Item> {
  items: Item[];
  next: string | null;
}
