import { z } from 'zod';
import { resourceMetrics } from '../capabilities/resource-metrics.ts';
import { definePhase } from '../phase.ts';
import { expectedNodes } from '../placement.ts';
import { nodesWithoutMetrics } from './top.ts';

/** Does `kubectl top` know every node? Whatever serves the metrics API; not planned where nothing does. */
export default definePhase({
  name: 'metrics-ready',
  title: 'kubectl top',
  hosts: 'one-control-plane',
  actsPerNode: true,
  onlyWith: resourceMetrics.name,
  needs: [
    { phase: resourceMetrics.name, on: 'every-host' },
    { phase: 'node-ready', on: 'every-host' },
    // What is asked is the cluster as it stays.
    { phase: 'cleanup', on: 'every-host' },
  ],
  waitsForPods: true,
  timeouts: { applyMs: 60_000, verifyMs: 5 * 60_000 },
  expectedMs: 10_000,
  options: z.strictObject({}),
  async check(run) {
    const missing = await nodesWithoutMetrics(run, { api: run.offer(resourceMetrics).api, nodes: expectedNodes(run) });
    if (missing.length === 0) return;
    const evidence = missing.map((node) => `kubectl top node ${node}: no metrics of this node`).join('\n');
    run.fail('METRICS_MISSING', `kubectl top has no metrics of ${missing.slice(0, 5).join(', ')}`, evidence);
  },
});
