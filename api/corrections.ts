import type { OperationKind } from '../activities/operations/operation-kind.ts';
import { deepMerge } from '../activities/phases/options.ts';
import type { Corrections, Replacement } from '../contracts/api.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { Host } from '../contracts/host.ts';
import { validateClusterSpec } from '../contracts/spec-parse.ts';
import { requireOwnAddress } from './address-in-use.ts';
import type { Caller } from './caller.ts';
import type { ApiDeps } from './deps.ts';
import { requireAllowed } from './require-allowed.ts';
import { requireNewRules, requireSpec } from './require-spec.ts';
import { phaseValidator } from './validate-phases.ts';

/** Changes one host of a spec in place. */
export type Correct = (host: Host, cluster: ClusterSpec) => void;

/** The host as corrected; what is not given stays. Undefined when nothing is. */
export function corrected(given: Corrections): Correct | undefined {
  const { address, internalAddress, ssh, phases, clusterPhases } = given;
  if ([address, internalAddress, ssh, phases, clusterPhases].every((each) => each === undefined)) return undefined;
  return (host, { spec }) => {
    if (address !== undefined) host.address = address;
    if (internalAddress !== undefined) host.internalAddress = internalAddress;
    if (ssh !== undefined) host.ssh = { ...host.ssh, ...ssh };
    if (phases !== undefined) host.phases = mergedOptions(host.phases, phases);
    if (clusterPhases !== undefined) spec.phases = mergedOptions(spec.phases, clusterPhases);
  };
}

/** Another machine with the host's name and roles: no address and no key of the old one is left. */
export function replaced(by: Replacement): Correct {
  return (host) => {
    const { hostKey: _old, ...ssh } = { ...host.ssh };
    const hostKey = by.hostKey ?? by.ssh?.hostKey;
    host.address = by.address;
    if (by.internalAddress === undefined) delete host.internalAddress;
    else host.internalAddress = by.internalAddress;
    host.ssh = { ...ssh, ...by.ssh, ...(hostKey === undefined ? {} : { hostKey }) };
  };
}

/**
 * Store the spec with one host corrected, checked like a new one. Throws NOT_FOUND, SPEC_INVALID, FORBIDDEN for what the
 * caller may not change, and ADDRESS_IN_USE when the new address is another host's of this cluster; other clusters are
 * asked when it is sent (withAddresses).
 */
export async function correctedSpec(
  deps: ApiDeps,
  caller: Caller,
  /** Of the operation that goes on, or begins, with the spec. */
  kind: OperationKind,
  { specRef, host: name, correct }: { specRef: string; host: string; correct: Correct },
): Promise<string> {
  const base = await deps.store.specs.get(specRef);
  const cluster = structuredClone(base);
  const host = requireHost(cluster, name);
  const before = structuredClone(host);
  correct(host, cluster);
  if (host.address !== before.address || host.internalAddress !== before.internalAddress) {
    requireOwnAddress(cluster, host);
  }
  const valid = validateClusterSpec(cluster, phaseValidator(deps.phases));
  requireNewRules(deps, valid, base);
  await requireAllowed(deps, caller, valid, base);
  await requireSpec(deps, kind, { before: base, after: valid, isCorrection: true });
  return await deps.store.specs.put(valid);
}

/** The host by that name. Throws NOT_FOUND. */
export function requireHost(cluster: ClusterSpec, name: string): Host {
  const found = cluster.spec.hosts.find((each) => each.name === name);
  if (!found) throw new KubewrightError('NOT_FOUND', `the cluster ${cluster.metadata.name} has no host named ${name}`);
  return found;
}

function mergedOptions(base: ClusterSpec['spec']['phases'], over: ClusterSpec['spec']['phases']): typeof base {
  return deepMerge(base, over) as typeof base;
}
