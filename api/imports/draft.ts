import { keepEnds } from '../../contracts/cut.ts';
import { tooComplex } from '../../contracts/document-bounds.ts';
import { type CredentialRef, ROLES, type Role } from '../../contracts/host.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { printableLine } from '../../contracts/printable.ts';
import { isSecretName, isSecretText, SECRET_REASON } from './secrets.ts';

/** Something of the inventory that is not in the spec. */
export interface Unmapped {
  /** Where it stands in the inventory, such as `all.vars.kube_version` or `spec.hosts[0].hooks`. */
  path: string;
  /** As text; absent for secrets and for what has no value. */
  value?: string;
  reason: string;
}

/** Bounds of what is listed: more is not read. */
export const MOST_UNMAPPED = 500;
const VALUE_CHARS = 200;
const PATH_CHARS = 300;
const TEXT_CHARS = 256;
const LEAVES = 50;
const DEPTH = 8;

/** Text of an inventory, fit for a spec and for any reader. */
export const cleanText = (text: string): string => printableLine(text.slice(0, TEXT_CHARS));

/** One login that an inventory describes; undefined: it says nothing. */
export interface DraftSsh {
  port?: number | undefined;
  user?: string | undefined;
  credential?: CredentialRef | undefined;
  jump?: DraftJump | undefined;
}

export interface DraftJump {
  address: string;
  port?: number | undefined;
  user?: string | undefined;
  credential?: CredentialRef | undefined;
}

/** A host of the spec in the making. */
export interface DraftHost {
  name: string;
  address: string;
  internalAddress?: string | undefined;
  roles: Set<Role>;
  ssh: DraftSsh;
  labels: Map<string, string>;
  taints: { key: string; value?: string; effect: string }[];
}

type Json = Record<string, unknown>;

/** A spec in the making, and the list of what it leaves out. */
export class Draft {
  name: string | undefined;
  readonly hosts: DraftHost[] = [];
  readonly #settings: Json = {};
  readonly #unmapped = new Map<string, Unmapped>();
  #left = 0;

  /** A new host. Throws DOCUMENT_TOO_COMPLEX beyond what a cluster may have. */
  host(name: string, address: string): DraftHost {
    if (this.hosts.length >= LIMITS.hostsPerCluster)
      throw tooComplex(`the inventory has more than ${LIMITS.hostsPerCluster} hosts`);
    const host: DraftHost = {
      name: cleanText(name),
      address: cleanText(address),
      roles: new Set(),
      ssh: {},
      labels: new Map(),
      taints: [],
    };
    this.hosts.push(host);
    return host;
  }

  /** Sets a field below `spec`, such as `network.podCidr`. The path is one of ours, never of the inventory. */
  set(path: string, value: unknown): void {
    const parts = path.split('.');
    const last = parts.pop()!;
    let at = this.#settings;
    for (const part of parts) {
      at[part] ??= {};
      at = at[part] as Json;
    }
    at[last] = typeof value === 'string' ? cleanText(value) : value;
  }

  /** What was set at the path, or below it; undefined: nothing. */
  get(path: string): unknown {
    let at: unknown = this.#settings;
    for (const part of path.split('.')) at = (at as Json | undefined)?.[part];
    return at;
  }

  /** Lists what does not map. A map or list is listed leaf by leaf; secrets without their value. */
  leave(path: string, value: unknown, reason: string): void {
    this.#walk({ path, value, reason, secret: isSecretName(path), depth: 0, budget: { leaves: LEAVES } });
  }

  /** The list, at most MOST_UNMAPPED entries; the last one says how many more there are. */
  get unmapped(): Unmapped[] {
    const list = [...this.#unmapped.values()];
    if (this.#left === 0) return list;
    return [...list, { path: '', reason: `${this.#left} more are not listed` }];
  }

  #walk(at: {
    path: string;
    value: unknown;
    reason: string;
    secret: boolean;
    depth: number;
    budget: { leaves: number };
  }): void {
    const { path, value, reason, depth, budget } = at;
    budget.leaves -= 1;
    if (budget.leaves < 0) {
      if (budget.leaves === -1) this.#add({ path, reason: `${reason}; the rest of it is not listed` });
      return;
    }
    if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
      if (depth >= DEPTH) return this.#add({ path, reason });
      for (const [key, each] of Object.entries(value)) {
        if (budget.leaves < 0) return;
        const below = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key.slice(0, 100)}`;
        const secret = at.secret || (!Array.isArray(value) && isSecretName(key));
        this.#walk({ ...at, path: below, value: each, secret, depth: depth + 1 });
      }
      return;
    }
    // No password is true or null.
    const plain = value === null || value === undefined || typeof value === 'boolean' || typeof value === 'object';
    const text = plain ? JSON.stringify(value) : String(value as string | number);
    if (!plain && text !== '' && (at.secret || isSecretText(text))) {
      return this.#add({ path, reason: SECRET_REASON });
    }
    this.#add({ path, reason, ...(text === undefined ? {} : { value: printableLine(keepEnds(text, VALUE_CHARS)) }) });
  }

  #add(entry: Unmapped): void {
    const path = printableLine(keepEnds(entry.path, PATH_CHARS));
    if (this.#unmapped.has(path)) return;
    // One place is for the count of the rest.
    if (this.#unmapped.size >= MOST_UNMAPPED - 1) this.#left += 1;
    else this.#unmapped.set(path, { ...entry, path });
  }

  /** The document of the spec. Plain data, not yet validated. */
  spec(): Json {
    const ssh = commonSsh(this.hosts);
    return {
      apiVersion: 'kubewright.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: this.name ?? 'imported' },
      spec: {
        ...ordered(this.#settings),
        ...(Object.keys(ssh).length === 0 ? {} : { ssh }),
        hosts: this.hosts.map((host) => hostJson(host, ssh)),
      },
    };
  }
}

const ORDER = ['kubernetes', 'network', 'controlPlane', 'proxy', 'phases'];
const ordered = (settings: Json): Json =>
  Object.fromEntries(ORDER.filter((key) => key in settings).map((key) => [key, settings[key]]));

const FIELDS = ['port', 'user', 'credential', 'jump'] as const;

/** What all hosts have in common stands once. */
function commonSsh(hosts: readonly DraftHost[]): DraftSsh {
  const [first] = hosts;
  if (!first) return {};
  return Object.fromEntries(
    FIELDS.filter((field) => {
      const wanted = JSON.stringify(first.ssh[field]);
      return wanted !== undefined && hosts.every(({ ssh }) => JSON.stringify(ssh[field]) === wanted);
    }).map((field) => [field, first.ssh[field]]),
  );
}

function hostJson(host: DraftHost, common: DraftSsh): Json {
  const { name, address, internalAddress, roles, labels, taints } = host;
  const own = Object.fromEntries(
    FIELDS.filter((field) => host.ssh[field] !== undefined && common[field] === undefined).map((field) => [
      field,
      host.ssh[field],
    ]),
  );
  return {
    name,
    address,
    ...(internalAddress === undefined || internalAddress === address ? {} : { internalAddress }),
    roles: ROLES.filter((role) => roles.has(role)),
    ...(Object.keys(own).length === 0 ? {} : { ssh: own }),
    ...(labels.size === 0 ? {} : { labels: Object.fromEntries(labels) }),
    ...(taints.length === 0 ? {} : { taints }),
  };
}
