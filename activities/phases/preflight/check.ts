import type { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { ErrorCode } from '../../../contracts/errors.ts';
import type { Host } from '../../../contracts/host.ts';
import type { HostFacts } from '../../host/types.ts';
import type { PhaseRun } from '../phase.ts';
import type { PhaseRequirements } from '../requires.ts';

/** What a check is about; the order in which problems of a host are listed, the most basic first. */
export const SUBJECTS = ['system', 'identity', 'clock', 'kernel', 'memory', 'disk', 'leftovers', 'network'] as const;

/** One reason why the host cannot be built. The catalogue has the hint that belongs to the code. */
export interface Problem<Code extends ErrorCode = ErrorCode> {
  code: Code;
  /** One sentence that names the thing. */
  message: string;
  /** What was read on the host, and where: file, line, command. */
  evidence: string;
}

/** The host that a check is about, before anything is read on it. */
export interface CheckHost<Options = unknown> {
  cluster: ClusterSpec;
  host: Host;
  /** What the phases of the cluster require of the host. */
  requirements: readonly PhaseRequirements[];
  /** The options of this check, parsed. */
  options: Options;
}

/** What `load` of a check answered, for its functions. */
export type WithLoaded<Loaded> = unknown extends Loaded ? object : { loaded: Loaded };

/** What `load` of a check is given. */
export type CheckWorld = Pick<PhaseRun<unknown>, 'cluster' | 'host' | 'pki' | 'clusterState' | 'phases' | 'artifacts'>;

/** What `evaluate` gets besides the lines of the probe. */
export interface CheckInput<Options = unknown> extends CheckHost<Options> {
  facts: HostFacts;
  /** Another host of the cluster with the same machine-id, if one is known. */
  duplicateHost: Host | null;
  /** Certificate of the authority of the cluster's API servers (PEM), where an endpoint is required; null: there is none yet. */
  storedCa?: string | null;
  /** PEM of the authority of the cluster's etcd; null while there is none, or where no check needs it. */
  etcdAuthority?: string | null;
  /** The worker's clock just before and just after the probe, ms since the epoch. */
  askedAtMs: number;
  answeredAtMs: number;
}

export interface CheckSpec<Shape extends z.ZodRawShape, Code extends ErrorCode = ErrorCode, Loaded = unknown> {
  /** As its file: lower-case words joined by `-`. */
  name: string;
  about: (typeof SUBJECTS)[number];
  /** A row of docs/preflight.md. */
  title: string;
  /** What is looked at, and on which hosts: one or two sentences for docs/preflight.md. */
  inspects: string;
  /** Every code that `evaluate` may answer with. */
  codes: readonly Code[];
  /** Its options under `spec.phases.preflight`; no two checks have one of the same name. */
  options?: Shape;
  /** What it needs from the store, read before the probe; null: the check does not concern this host. */
  load?(world: CheckWorld): Promise<Loaded | null>;
  /** Its part of the one script that is run on each host. */
  probe?: {
    /**
     * Body of a POSIX sh function, LC_ALL=C, `set -u`. Prints with `say WORD...` (one line of words without tabs).
     * Changes nothing. Runs beside those of the other checks: at most 20 s.
     */
    script: string;
    /** $1... of the script; null: the check does not concern this host, and `evaluate` is not called. */
    args(of: CheckHost<z.output<z.ZodObject<Shape>>> & WithLoaded<Loaded>): readonly string[] | null;
  };
  /**
   * All problems of the host. Pure. `rows` are the words of the lines that the probe said, at most
   * MAX_ROWS, each word cut at MAX_WORD characters; empty for a check without probe.
   */
  evaluate(
    input: CheckInput<z.output<z.ZodObject<Shape>>> & WithLoaded<Loaded>,
    rows: readonly (readonly string[])[],
  ): readonly Problem<Code>[];
}

/** A check with its option type erased, as the registry holds it. */
export type Check = CheckSpec<z.ZodRawShape>;

/** Declare a check: one file under activities/phases/preflight/checks/, default export. */
export function defineCheck<
  Code extends ErrorCode,
  Shape extends z.ZodRawShape = Record<never, never>,
  Loaded = unknown,
>(spec: CheckSpec<Shape, Code, Loaded>): Check {
  return spec as unknown as Check;
}
