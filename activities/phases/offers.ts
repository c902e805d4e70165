import type { ClusterSpec } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Host } from '../../contracts/host.ts';
import { enabledProvidersOf } from './capabilities.ts';
import type { Capability } from './capability.ts';
import { phaseOptions } from './options.ts';
import type { Phase } from './phase.ts';
import { offeredCapabilities } from './provides.ts';

/**
 * What the cluster's provider of a capability offers on a host; without one, by the options of the whole cluster. Throws
 * SPEC_INVALID where not exactly one provider is on (the API refuses such a spec), INTERNAL, with the names of phase and
 * capability, where it offers nothing, or something of another shape. Pure.
 */
export function offerOf<Data>(
  { cluster, phases }: { cluster: ClusterSpec; phases: Iterable<Phase> },
  capability: Capability<Data>,
  host?: Host,
): Data {
  const { name } = capability;
  const providers = enabledProvidersOf(cluster, name, [...phases]);
  const [provider] = providers;
  if (!provider || providers.length > 1) {
    const who = providers.map((phase) => phase.name).join(' and ') || 'no phase';
    throw new KubewrightError(
      'SPEC_INVALID',
      `${who} ${provider ? 'each provide' : 'provides'} ${name}: exactly one must`,
    );
  }
  const made = provider.offers?.find((each) => each.capability.name === name);
  if (!made) {
    throw new KubewrightError('INTERNAL', `phase ${provider.name} provides ${name} and offers nothing for it`);
  }
  const options = phaseOptions(cluster, provider, host);
  const parsed = capability.data.safeParse(made.from({ cluster, host: host ?? cluster.spec.hosts[0]!, options }));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the offer'}: ${message}`);
  throw new KubewrightError(
    'INTERNAL',
    `phase ${provider.name} offers the wrong data for ${name}: ${problems.join('; ')}`.slice(0, 1000),
    { phase: provider.name },
  );
}

/**
 * Names of capabilities whose provider offers something else in `after` than in `before`, on a host that both have. Those without
 * exactly one provider are left out. Pure. Throws INTERNAL for an offer of the wrong shape.
 */
export function changedOffers(before: ClusterSpec, after: ClusterSpec, phases: readonly Phase[]): string[] {
  const host = after.spec.hosts.find(({ name }) => before.spec.hosts.some((each) => each.name === name));
  const offered = (cluster: ClusterSpec, capability: Capability): string | null =>
    enabledProvidersOf(cluster, capability.name, phases).length === 1
      ? JSON.stringify(offerOf({ cluster, phases }, capability, host))
      : null;
  return [...offeredCapabilities(phases).values()]
    .filter((capability) => offered(before, capability) !== offered(after, capability))
    .map(({ name }) => name);
}
