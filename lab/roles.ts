import { KubewrightError } from '../contracts/errors.ts';
import { MAX_HOSTS } from './paths.ts';

/**
 * What a host of a lab is for, and what its name begins with. `spare` is a machine that no cluster knows: one that
 * replaces another, or that plays something outside of the cluster. The order is that of hosts, addresses and the spec.
 */
const PREFIXES = {
  'control-plane': 'cp',
  'load-balancer': 'lb',
  etcd: 'etcd',
  worker: 'worker',
  spare: 'spare',
} as const;

export type LabRole = keyof typeof PREFIXES;

/** How many hosts of each role a lab has; a role that is left out has none. */
export type LabRoles = Partial<Record<LabRole, number>>;

const ROLES = Object.keys(PREFIXES) as LabRole[];
/** `control-plane=3,load-balancer=2`. */
const ROLE_COUNT = /^([a-z-]+)=(\d{1,2})$/;

/** Names of all hosts: numbered within their role, roles in order. */
export function hostNames(roles: LabRoles): string[] {
  return ROLES.flatMap((role) =>
    Array.from({ length: roles[role] ?? 0 }, (_, index) => `${PREFIXES[role]}-${index + 1}`),
  );
}

/** The role of a host, from its name. */
export function roleOf(name: string): LabRole {
  const role = ROLES.find((each) => name.startsWith(`${PREFIXES[each]}-`));
  if (role === undefined) throw new KubewrightError('LAB_FAILED', `${name} is not the name of a lab host`);
  return role;
}

/**
 * How many hosts of each role are asked for. A number of hosts means control planes first and workers after them.
 * Throws BAD_REQUEST: no control plane, more hosts than a lab has.
 */
export function labRoles(hosts: number | LabRoles, controlPlanes?: number): LabRoles {
  if (typeof hosts !== 'number') {
    if (controlPlanes !== undefined)
      throw new KubewrightError('BAD_REQUEST', 'give the number of control planes with the other roles, not twice');
    const count = hostNames(hosts).length;
    if (!Object.values(hosts).every((each) => Number.isInteger(each) && each >= 0) || count > MAX_HOSTS)
      throw new KubewrightError('BAD_REQUEST', `${count} hosts: a lab has 1 to ${MAX_HOSTS}`);
    if (!hosts['control-plane']) throw new KubewrightError('BAD_REQUEST', 'give at least one control plane');
    return hosts;
  }
  const planes = controlPlanes ?? 1;
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > MAX_HOSTS)
    throw new KubewrightError('BAD_REQUEST', `${hosts} hosts: a lab has 1 to ${MAX_HOSTS}`);
  if (!Number.isInteger(planes) || planes < 1 || planes > hosts)
    throw new KubewrightError('BAD_REQUEST', `${planes} control planes: give 1 to ${hosts}, the number of hosts`);
  return { 'control-plane': planes, worker: hosts - planes };
}

/**
 * What a user gives for `--hosts`: a number, or counts by role as `control-plane=3,load-balancer=2,worker=1`.
 * Throws BAD_REQUEST for anything else.
 */
export function parseHosts(text: string): number | LabRoles {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const roles: LabRoles = {};
  for (const part of text.split(',')) {
    const [, role, count] = ROLE_COUNT.exec(part) ?? [];
    const known = ROLES.find((each) => each === role);
    if (known === undefined || roles[known] !== undefined) {
      throw new KubewrightError(
        'BAD_REQUEST',
        `--hosts ${JSON.stringify(text.slice(0, 100))}: give a number, or each of ${ROLES.join(', ')} at most once, as control-plane=3,load-balancer=2,worker=1`,
      );
    }
    roles[known] = Number(count);
  }
  return roles;
}
