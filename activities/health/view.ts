import type { ClusterSpec } from '../../contracts/cluster.ts';
import { HEALTH_EVIDENCE, type HealthReason } from '../../contracts/health.ts';
import type { Host } from '../../contracts/host.ts';
import type { KubeletLimits } from '../kube/eviction.ts';

/** Lines of a script as words. */
export type Rows = readonly (readonly string[])[];

/** What was seen of one host over SSH. */
export interface HostView {
  host: Host;
  /** Null: it could not be looked at, for this reason. */
  rows: Rows | null;
  why?: string | undefined;
  limits: KubeletLimits;
}

/** Everything that was seen, for the checks. */
export interface HealthView {
  cluster: ClusterSpec;
  /** Hosts in quarantine: their nodes are left out. */
  out: ReadonlySet<string>;
  /** What a control plane said; null when none could be asked. */
  rows: Rows | null;
  hosts: readonly HostView[];
  /** `Deployment/coredns`: what the phases of this cluster keep running. */
  objects: readonly string[];
  /** ms since the epoch. */
  now: number;
}

/** One part of the health, the default export of a file in `checks/`. */
export interface HealthCheck {
  /** Reasons of a lower rank stand first: those beyond HEALTH_REASONS are counted only. */
  rank: number;
  /** From what was seen to what is wrong. Pure. */
  reasonsOf(view: HealthView): HealthReason[];
}

/** A part of the health of this rank. */
export const defineHealthCheck = (rank: number, reasonsOf: HealthCheck['reasonsOf']): HealthCheck => ({
  rank,
  reasonsOf,
});

/** Lines of one kind, without the kind. */
export const rowsOf = (rows: Rows | null, kind: string): string[][] =>
  (rows ?? []).filter((row) => row[0] === kind).map((row) => row.slice(1));

/** A text that Go's `%q` wrote, as it was. */
export function unquoted(text: string | undefined): string {
  if (text === undefined || text.startsWith('%!q(')) return '';
  try {
    return String(JSON.parse(text));
  } catch {
    // Go escapes some characters otherwise than JSON.
    return text.replace(/^"|"$/g, '');
  }
}

/** A time as Kubernetes writes it, when it is one. */
export const timeOf = (text: string | undefined): string | undefined =>
  text !== undefined && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : undefined;

/** At most so many characters: some of the beginning, and the end, where messages of Kubernetes have their cause. */
export function shortened(text: string, most = HEALTH_EVIDENCE): string {
  const line = text.trim();
  if (line.length <= most) return line;
  const head = Math.floor(most / 4);
  return `${line.slice(0, head)} ... ${line.slice(-(most - head - 5))}`;
}

/** True of a host that nothing of ours was built on yet: a build would, and a dry run must not call that a fault. */
export const isBare = ({ rows }: HostView): boolean => rows !== null && rowsOf(rows, 'cert').length === 0;
