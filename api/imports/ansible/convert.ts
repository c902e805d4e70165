import type { Role } from '../../../contracts/host.ts';
import { absolutePath } from '../../../contracts/primitives.ts';
import type { Draft, DraftHost, DraftSsh } from '../draft.ts';
import { isSecretName, isSecretText, SECRET_REASON } from '../secrets.ts';
import { asInt, asText, hostLabel, isTemplate, no, REASONS, type Rule, type Rules } from '../values.ts';
import { groupPath, hostPath, type Inventory, type Sourced } from './inventory.ts';

/** What one tool on top of Ansible means by groups and variables: data of its format. */
export interface AnsibleTables {
  /** Groups that give a role, newest name first. */
  roles: Readonly<Record<string, Role>>;
  /** Groups without a role that hold hosts on purpose, with the reason why they do not map. */
  otherGroups: Readonly<Record<string, string>>;
  /** Groups that only gather others. */
  gathering: readonly string[];
  /** The name that a host has in the spec. */
  nameOf: (host: string, inventory: Inventory) => string;
  hostRules: Rules<DraftHost>;
  clusterRules: Rules;
}

/** Variables of Ansible itself that are about a host, of every tool. */
const CONNECTION_RULES: Rules<DraftHost> = {
  ansible_host: (value, host) => addressRule(value, host),
  ansible_ssh_host: (value, host) => addressRule(value, host),
  ansible_port: (value, host) => portRule(value, host),
  ansible_ssh_port: (value, host) => portRule(value, host),
  ansible_user: (value, host) => userRule(value, host),
  ansible_ssh_user: (value, host) => userRule(value, host),
  ansible_ssh_private_key_file: (value, host) => keyFileRule(value, host.ssh),
  ansible_private_key_file: (value, host) => keyFileRule(value, host.ssh),
  ansible_connection: (value) =>
    ['ssh', 'smart', 'paramiko'].includes(asText(value) ?? '') ? undefined : 'every host is reached over SSH',
  ansible_become: no('is not needed: commands run by sudo where the login is not root'),
  ansible_become_method: no('is not needed: commands run by sudo where the login is not root'),
  ansible_become_user: (value) => (asText(value) === 'root' ? undefined : 'commands run as root'),
  ansible_python_interpreter: no(REASONS.notNeeded),
  ansible_ssh_common_args: no('options of ssh do not map; a bastion is spec.ssh.jump'),
  ansible_ssh_extra_args: no('options of ssh do not map; a bastion is spec.ssh.jump'),
};

const addressRule: Rule<DraftHost> = (value, host) => {
  const address = asText(value);
  if (address === undefined) return REASONS.unreadable;
  host.address = address;
  return undefined;
};
const portRule: Rule<DraftHost> = (value, host) => {
  host.ssh.port = asInt(value);
  return host.ssh.port === undefined ? REASONS.unreadable : undefined;
};
const userRule: Rule<DraftHost> = (value, host) => {
  host.ssh.user = asText(value);
  return host.ssh.user === undefined ? REASONS.unreadable : undefined;
};

/** A key file of the person's machine; only an absolute path can be one of the worker's machine. */
export function keyFileRule(value: unknown, ssh: DraftSsh): string | undefined {
  const path = asText(value);
  if (path === undefined) return REASONS.unreadable;
  if (!absolutePath.safeParse(path).success)
    return 'is no absolute path on the machine of the worker; it needs a credential: store the key with PUT /credentials/{name}';
  ssh.credential = { keyFile: path };
  return undefined;
}

/** Writes an inventory of Ansible into the draft by the tables of its tool. */
export function convertInventory(inventory: Inventory, draft: Draft, tables: AnsibleTables): void {
  const hosts = hostsWithRoles(inventory, draft, tables);
  const hostRules = { ...CONNECTION_RULES, ...tables.hostRules };
  for (const [name, host] of hosts) {
    for (const [variable, rule] of Object.entries(hostRules)) {
      const found = inventory.ofHost(name, variable);
      if (found) apply(found, variable, rule, host, draft);
    }
  }
  applyBastion(inventory, draft);
  for (const [variable, rule] of Object.entries(tables.clusterRules)) {
    const found = inventory.ofGroups(variable);
    const counts = found.at(-1);
    if (counts) apply(counts, variable, rule, draft, draft);
    for (const { path, value } of found.slice(0, -1))
      if (JSON.stringify(value) !== JSON.stringify(counts?.value))
        draft.leave(path, value, `another value counts: that of ${counts?.path}`);
  }
  leaveRest(inventory, draft, { tables, hostRules, hosts });
}

function apply<Target>(found: Sourced, name: string, rule: Rule<Target>, target: Target, draft: Draft): void {
  const { path, value } = found;
  if (value === null || value === '') return;
  const reason = isTemplate(value)
    ? REASONS.template
    : typeof value === 'string' && (isSecretName(name) || isSecretText(value))
      ? SECRET_REASON
      : rule(value, target);
  if (reason !== undefined) draft.leave(path, value, reason);
}

function hostsWithRoles(inventory: Inventory, draft: Draft, tables: AnsibleTables): Map<string, DraftHost> {
  const roles = new Map<string, Set<Role>>();
  for (const [group, role] of Object.entries(tables.roles))
    for (const host of inventory.hostsOf(group)) roles.set(host, (roles.get(host) ?? new Set()).add(role));
  const made = new Map<string, DraftHost>();
  for (const name of inventory.hosts.keys()) {
    const own = roles.get(name);
    if (!own) continue;
    const wanted = tables.nameOf(name, inventory);
    const host = draft.host(wanted, name);
    for (const role of own) host.roles.add(role);
    // A name that the inventory gives on purpose needs no word.
    if (host.name !== name && host.name === hostLabel(name))
      draft.leave(`hosts.${name}`, name, `is named ${host.name} in the spec: names of hosts are DNS labels`);
    made.set(name, host);
  }
  for (const group of inventory.order) {
    if (Object.hasOwn(tables.roles, group) || tables.gathering.includes(group) || group === 'bastion') continue;
    const reason = Object.hasOwn(tables.otherGroups, group) ? tables.otherGroups[group] : undefined;
    const { hosts } = inventory.groups.get(group)!;
    if (hosts.size === 0) continue;
    if (reason !== undefined) draft.leave(group, [...hosts].slice(0, 20).join(', '), reason);
    else if (group !== 'all' && group !== 'ungrouped')
      draft.leave(group, [...hosts].slice(0, 20).join(', '), 'is a group that gives no role');
  }
  const bastions = new Set(inventory.hostsOf('bastion'));
  for (const name of inventory.hosts.keys())
    if (!made.has(name) && !bastions.has(name))
      draft.leave(`hosts.${name}`, undefined, 'is left out: it is in no group that gives a role');
  return made;
}

/** The bastion of Kubespray: every connection goes through it. */
function applyBastion(inventory: Inventory, draft: Draft): void {
  const [bastion, ...more] = inventory.hostsOf('bastion');
  if (bastion === undefined) return;
  for (const name of more) draft.leave(`hosts.${name}`, undefined, 'is left out: one bastion is used');
  const of = (...names: string[]) => names.map((name) => inventory.ofHost(bastion, name)?.value).find(Boolean);
  const ssh: DraftSsh = {};
  const keyFile = of('ansible_ssh_private_key_file', 'ansible_private_key_file');
  if (keyFile !== undefined) {
    const reason = keyFileRule(keyFile, ssh);
    if (reason !== undefined) draft.leave(hostPath(bastion, 'ansible_ssh_private_key_file'), keyFile, reason);
  }
  const jump = {
    address: asText(of('ansible_host', 'ansible_ssh_host')) ?? bastion,
    ...(asInt(of('ansible_port')) === undefined ? {} : { port: asInt(of('ansible_port')) }),
    ...(asText(of('ansible_user', 'ansible_ssh_user')) === undefined
      ? {}
      : { user: asText(of('ansible_user', 'ansible_ssh_user')) }),
    ...(ssh.credential === undefined ? {} : { credential: ssh.credential }),
  };
  for (const host of draft.hosts) host.ssh.jump = jump;
}

/** Every variable that no rule has looked at. */
function leaveRest(
  inventory: Inventory,
  draft: Draft,
  { tables, hostRules, hosts }: { tables: AnsibleTables; hostRules: Rules<DraftHost>; hosts: Map<string, DraftHost> },
): void {
  for (const [group, { vars }] of inventory.groups) {
    for (const [name, raw] of vars) {
      if (Object.hasOwn(tables.clusterRules, name) || Object.hasOwn(hostRules, name)) continue;
      const value = inventory.resolved(raw);
      draft.leave(groupPath(group, name), value, isTemplate(value) ? REASONS.template : REASONS.none);
    }
  }
  const bastions = inventory.hostsOf('bastion');
  for (const [host, vars] of inventory.hosts) {
    const isKnown = hosts.has(host) || bastions.includes(host);
    for (const [name, raw] of vars) {
      if (isKnown && Object.hasOwn(hostRules, name)) continue;
      const ofCluster = Object.hasOwn(tables.clusterRules, name);
      const value = inventory.resolved(raw, host);
      draft.leave(
        hostPath(host, name),
        value,
        ofCluster ? 'is of the whole cluster in a spec, and stands at one host here' : REASONS.none,
      );
    }
  }
}
