import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from '@prometheus-io/client';

/** Quantiles of the event-loop delay: median, 99th percentile, maximum. */
const QUANTILES = ['0.5', '0.99', '1'] as const;
/** How often the event loop is looked at, ms. */
const RESOLUTION_MS = 20;

/**
 * The metrics of one process: those of Node and of the process itself, and room for ours. One per process, made where it
 * starts and handed on: no module keeps one.
 */
export function processRegistry(kind: 'api' | 'worker'): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ process: kind });
  collectDefaultMetrics({ register: registry });
  // Without a sample these two are `Nan`, which is no number of the format. Ours, below, says the same of the event loop.
  for (const name of ['mean', 'stddev']) registry.removeSingleMetric(`nodejs_eventloop_lag_${name}_seconds`);
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  new Gauge({
    name: 'kubewright_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape, by quantile',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of QUANTILES) {
        const ns = delays.count === 0 ? 0 : delays.percentile(Number(quantile) * 100);
        this.set({ quantile }, Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000));
      }
      delays.reset();
    },
  });
  return registry;
}
