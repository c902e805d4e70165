import { guardedValues } from '../activities/phases/guard.ts';
import type { Phase } from '../activities/phases/phase.ts';
import { type ClusterSpec, sshTarget } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { Host } from '../contracts/host.ts';
import type { FieldIssue } from '../contracts/issues.ts';
import type { OperatorsMay } from '../contracts/operation.ts';
import { canonicalJson } from '../store/canonical.ts';
import type { Caller } from './caller.ts';

/** Problems of one answer. */
const ISSUES = 100;
type Options = ClusterSpec['spec']['phases'];

/**
 * May this caller make of `base` (the cluster's present spec; null: a new cluster) this spec? Who is not an admin leaves
 * guarded options as they are, puts no other machine in the place of one that holds the cluster's secrets, and names no
 * other source of programs, unless the policy of `base`, which only admins set, lets operators. Throws FORBIDDEN.
 */
export function requireGuarded(
  phases: readonly Phase[],
  { actor }: Caller,
  spec: ClusterSpec,
  base: ClusterSpec | null,
): void {
  if (actor.role === 'admin') return;
  const may = new Set(base?.spec.policy.operatorsMay);
  const policy = changed('spec.policy', policyOf(base), policyOf(spec)).map((path) => needs(path, null));
  const options = may.has('security-options')
    ? []
    : optionChanges(phases, spec, base).map((path) => needs(path, 'security-options'));
  const machines = may.has('control-planes')
    ? []
    : newMachines(spec, base).map((path) => needs(path, 'control-planes'));
  const errors = [...policy, ...options, ...machines].slice(0, ISSUES);
  const [first] = errors;
  if (first) throw new KubewrightError('FORBIDDEN', `${first.path} ${first.message}`, { errors });
}

function needs(path: string, policy: OperatorsMay | null): FieldIssue {
  const or = policy === null ? '' : `, or ${policy} in the spec.policy.operatorsMay of the cluster as it is`;
  return { path, message: `may be set, changed and removed only with the role admin${or}` };
}

const policyOf = (cluster: ClusterSpec | null) =>
  new Map(
    cluster?.spec.policy.operatorsMay?.length
      ? [['operatorsMay', [...new Set(cluster.spec.policy.operatorsMay)].toSorted()]]
      : [],
  );

/** Places of guarded options that differ: those of the cluster, and what each host says for itself. */
function optionChanges(phases: readonly Phase[], spec: ClusterSpec, base: ClusterSpec | null): string[] {
  const guarded = (options: Options | undefined) =>
    new Map(
      phases.flatMap(({ name, guarded: guards = [] }) =>
        [...guardedValues(guards, ownOptions(options, name))].map(
          ([path, value]) => [`${name}.${path}`, value] as const,
        ),
      ),
    );
  const paths = changed('spec.phases', guarded(base?.spec.phases), guarded(spec.spec.phases));
  spec.spec.hosts.forEach((host, index) => {
    const before = base?.spec.hosts.find(({ name }) => name === host.name);
    paths.push(...changed(`spec.hosts[${index}].phases`, guarded(before?.phases), guarded(host.phases)));
  });
  // Also in a new cluster: it sees what hosts ask for, and our worker connects to it.
  // A mirror decides which images all nodes run.
  for (const field of ['proxy', 'registries'] as const) {
    if (canonicalJson(base?.spec[field] ?? null) !== canonicalJson(spec.spec[field] ?? null))
      paths.push(`spec.${field}`);
  }
  // A new cluster is what its first spec makes it; where its programs come from, and whom its nodes obey, then changes no more.
  if (base && base.spec.artifacts.mirror !== spec.spec.artifacts.mirror) paths.push('spec.artifacts.mirror');
  if (base && canonicalJson(endpointOf(base)) !== canonicalJson(endpointOf(spec))) {
    paths.push('spec.controlPlane.endpoint');
  }
  return paths;
}

const endpointOf = ({ spec }: ClusterSpec): unknown => spec.controlPlane?.endpoint ?? null;

const ownOptions = (options: Options | undefined, phase: string): Record<string, unknown> =>
  options && Object.hasOwn(options, phase) ? options[phase]! : {};

function changed(prefix: string, before: Map<string, unknown>, after: Map<string, unknown>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => canonicalJson(before.get(path) ?? null) !== canonicalJson(after.get(path) ?? null))
    .map((path) => `${prefix}.${path}`);
}

/** Roles whose hosts hold what opens the whole cluster: the CA and the Secrets' key, or all that etcd stores. */
const TRUSTED = ['control-plane', 'etcd'] as const;

/** Hosts with a trusted role that the present cluster has not trusted in this role, as this machine. */
function newMachines(spec: ClusterSpec, base: ClusterSpec | null): string[] {
  if (!base) return [];
  return TRUSTED.flatMap((role) => {
    const known = new Set(
      base.spec.hosts.filter(({ roles }) => roles.includes(role)).map((each) => machine(base, each)),
    );
    return spec.spec.hosts.flatMap((host, index) =>
      host.roles.includes(role) && !known.has(machine(spec, host))
        ? [`spec.hosts[${index}] (${role} ${host.name})`]
        : [],
    );
  });
}

/** What says which machine answers, as whom we are there, and which key it must show. */
function machine(cluster: ClusterSpec, host: Host): string {
  const { address, port, user, hostKey = null, jump } = sshTarget(cluster, host);
  const via = jump ? [jump.address, jump.port, jump.user, jump.hostKey ?? null] : null;
  return canonicalJson([host.name, host.internalAddress ?? null, address, port, user, hostKey, via]);
}
