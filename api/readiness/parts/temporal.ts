import type { TemporalGateway } from '../../temporal-gateway.ts';
import { type Check, defineReadiness } from '../readiness.ts';

/** Temporal answers for our namespace. */
export function temporalCheck({ ping }: Pick<TemporalGateway, 'ping'>): Check {
  return {
    name: 'temporal',
    meaning: 'Temporal answers for the namespace of the service',
    async run() {
      try {
        await ping();
        return { state: 'ok' };
      } catch (error) {
        return {
          state: 'unreachable',
          cause: 'Temporal does not answer for the namespace of the service',
          evidence: error,
        };
      }
    },
  };
}

export default defineReadiness(({ temporal }) => temporalCheck(temporal));
