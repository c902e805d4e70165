import { podNetwork } from './capabilities/pod-network.ts';
import { enabledProvidersOf } from './capabilities.ts';
import type { PhaseContext, PhaseRun } from './phase.ts';

/** The user brings the pod network of the cluster, and has not done so yet. Runs no command where no such network is chosen. */
export async function isNetworkAwaited(context: PhaseContext<unknown>, run: PhaseRun<unknown>): Promise<boolean> {
  const providers = enabledProvidersOf(context.cluster, podNetwork.name, [...context.phases.values()]);
  for (const provider of providers) if (provider.awaited && (await provider.awaited(run)) !== null) return true;
  return false;
}
