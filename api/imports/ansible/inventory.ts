import { malformed, tooComplex } from '../../../contracts/document-bounds.ts';
import { LIMITS } from '../../../contracts/limits.ts';

/** Bounds of an inventory. A large one of Kubespray has 1,000 hosts, 20 groups and 300 variables. */
const MOST_GROUPS = 500;
const MOST_VARS = 50_000;
const MOST_MEMBERS = 50_000;
const NAME_CHARS = 253;

interface Group {
  hosts: Set<string>;
  children: Set<string>;
  vars: Map<string, unknown>;
}

/** A value and where it stands. */
export interface Sourced {
  value: unknown;
  path: string;
}

/** An Ansible inventory, of INI or of YAML. Names are keys of maps: none of them is a property of an object. */
export class Inventory {
  readonly hosts = new Map<string, Map<string, unknown>>();
  readonly groups = new Map<string, Group>();
  #vars = 0;
  #members = 0;
  #order: string[] | null = null;
  readonly #groupsOf = new Map<string, string[]>();

  constructor() {
    this.group('all');
  }

  /** The group by that name, made when it is not there. */
  group(name: string): Group {
    const known = this.groups.get(name);
    if (known) return known;
    if (name.length > NAME_CHARS) throw tooComplex(`the name of a group is longer than ${NAME_CHARS} characters`);
    if (this.groups.size >= MOST_GROUPS) throw tooComplex(`the inventory has more than ${MOST_GROUPS} groups`);
    const made: Group = { hosts: new Set(), children: new Set(), vars: new Map() };
    this.groups.set(name, made);
    return made;
  }

  /** Adds a host to a group. */
  add(group: string, host: string): void {
    if (host.length > NAME_CHARS) throw tooComplex(`the name of a host is longer than ${NAME_CHARS} characters`);
    if (!this.hosts.has(host)) {
      if (this.hosts.size >= LIMITS.hostsPerCluster)
        throw tooComplex(`the inventory has more than ${LIMITS.hostsPerCluster} hosts`);
      this.hosts.set(host, new Map());
    }
    this.#member();
    this.group(group).hosts.add(host);
  }

  child(group: string, name: string): void {
    this.#member();
    this.group(group).children.add(name);
    this.group(name);
  }

  #member(): void {
    this.#members += 1;
    if (this.#members > MOST_MEMBERS) throw tooComplex(`the groups have more than ${MOST_MEMBERS} members`);
  }

  hostVar(host: string, name: string, value: unknown): void {
    this.#count();
    this.hosts.get(host)!.set(name, value);
  }

  groupVar(group: string, name: string, value: unknown): void {
    this.#count();
    this.group(group).vars.set(name, value);
  }

  #count(): void {
    this.#vars += 1;
    if (this.#vars > MOST_VARS) throw tooComplex(`the inventory has more than ${MOST_VARS} variables`);
  }

  /** Hosts of a group and of its children, in the order of the inventory. */
  hostsOf(name: string): string[] {
    const found = new Set<string>();
    const seen = new Set<string>();
    const visit = (group: string): void => {
      if (seen.has(group)) return;
      seen.add(group);
      const { hosts, children } = this.groups.get(group) ?? { hosts: [], children: [] };
      for (const host of hosts) found.add(host);
      for (const child of children) visit(child);
    };
    visit(name);
    return [...this.hosts.keys()].filter((host) => found.has(host));
  }

  /** Groups from the most general to the most special, as their variables override each other. Throws SPEC_MALFORMED for a circle. */
  get order(): string[] {
    if (this.#order) return this.#order;
    const parents = new Map<string, string[]>();
    for (const [name, { children }] of this.groups)
      for (const child of children) parents.set(child, [...(parents.get(child) ?? []), name]);
    const depths = new Map<string, number>([['all', 0]]);
    const depthOf = (name: string, below: Set<string>): number => {
      const known = depths.get(name);
      if (known !== undefined) return known;
      if (below.has(name)) throw malformed(`the group \`${name.slice(0, 64)}\` is a child of itself`);
      below.add(name);
      const depth = 1 + Math.max(0, ...(parents.get(name) ?? []).map((parent) => depthOf(parent, below)));
      below.delete(name);
      depths.set(name, depth);
      return depth;
    };
    const named = [...this.groups.keys()].map((name) => ({ name, depth: depthOf(name, new Set()) }));
    named.sort((a, b) => a.depth - b.depth || (a.name < b.name ? -1 : 1));
    this.#order = named.map(({ name }) => name);
    return this.#order;
  }

  /** The value of a variable for one host: its own, or that of the most special of its groups. */
  ofHost(host: string, name: string): Sourced | undefined {
    const own = this.hosts.get(host);
    if (own?.has(name)) return { value: this.resolved(own.get(name), host), path: hostPath(host, name) };
    for (const group of this.#groups(host).toReversed()) {
      const { vars } = this.groups.get(group)!;
      if (vars.has(name)) return { value: this.resolved(vars.get(name), host), path: groupPath(group, name) };
    }
    return undefined;
  }

  /** Each place where groups set a variable; the last one counts. */
  ofGroups(name: string): Sourced[] {
    return this.order.flatMap((group) => {
      const { vars } = this.groups.get(group)!;
      return vars.has(name) ? [{ value: this.resolved(vars.get(name)), path: groupPath(group, name) }] : [];
    });
  }

  #groups(host: string): string[] {
    if (this.#groupsOf.size === 0) {
      for (const group of this.order) {
        const members = group === 'all' ? this.hosts.keys() : this.hostsOf(group);
        for (const each of members) {
          const list = this.#groupsOf.get(each);
          if (list) list.push(group);
          else this.#groupsOf.set(each, [group]);
        }
      }
    }
    return this.#groupsOf.get(host) ?? [];
  }

  /** `{{ name }}` alone is what that variable is; other templates stay as they are. */
  resolved(value: unknown, host?: string): unknown {
    let current = value;
    for (let step = 0; step < 8; step += 1) {
      const name = typeof current === 'string' ? /^\{\{\s*(\w+)\s*\}\}$/.exec(current.trim())?.[1] : undefined;
      if (name === undefined) return current;
      const found = host === undefined ? this.#rawOfGroups(name) : this.#rawOfHost(host, name);
      if (found === undefined) return current;
      current = found;
    }
    return current;
  }

  #rawOfGroups(name: string): unknown {
    return this.order
      .toReversed()
      .map((group) => this.groups.get(group)!.vars)
      .find((vars) => vars.has(name))
      ?.get(name);
  }

  #rawOfHost(host: string, name: string): unknown {
    if (name === 'inventory_hostname') return host;
    return this.hosts.get(host)?.get(name) ?? this.#rawOfGroups(name);
  }
}

export const hostPath = (host: string, name: string): string => `hosts.${host}.${name}`;
export const groupPath = (group: string, name: string): string => `${group}.vars.${name}`;
