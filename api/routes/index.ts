import { commands } from './actions.ts';
import { auditHistory } from './audit-history.ts';
import { clusters } from './clusters.ts';
import { codec } from './codec.ts';
import { createCluster } from './create-cluster.ts';
import { credentials } from './credentials.ts';
import { decisions } from './decisions.ts';
import { events } from './events.ts';
import { health } from './health.ts';
import { history } from './history.ts';
import { historyExport } from './history-export.ts';
import { hostKeys } from './host-key.ts';
import { kubeconfig } from './kubeconfig.ts';
import { metrics } from './metrics.ts';
import { operations } from './operations.ts';
import { phases } from './phases.ts';
import { secrets } from './secrets.ts';
import type { AddRoutes } from './shared.ts';
import { teardown } from './teardown.ts';
import { tokens } from './tokens.ts';

/** Every route. Adding one is adding a file and its name here. */
export const routes: readonly AddRoutes[] = [
  createCluster,
  clusters,
  operations,
  commands,
  decisions,
  hostKeys,
  teardown,
  history,
  historyExport,
  auditHistory,
  events,
  kubeconfig,
  phases,
  credentials,
  secrets,
  codec,
  tokens,
  health,
  metrics,
];
