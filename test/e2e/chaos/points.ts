import type { Row } from './journal.ts';
import { pick, seeded, shuffled } from './random.ts';

/** What can be done to the system. The first four hit our own processes, the others the host of the command. */
export const PROCESS_FAULTS = ['worker', 'api', 'temporal', 'all'] as const;
export const HOST_FAULTS = ['sshd', 'reboot', 'link', 'packages'] as const;
export type FaultName = (typeof PROCESS_FAULTS)[number] | (typeof HOST_FAULTS)[number];
export const isHostFault = (fault: FaultName): boolean => (HOST_FAULTS as readonly FaultName[]).includes(fault);

/** A command of the reference build: the n-th of a task. */
export interface Place {
  phase: string;
  host: string;
  seq: number;
}

/** A fault that begins while another one is on. */
export interface Second {
  fault: FaultName;
  /** The host that it hits, of a fault of hosts. */
  host: string;
  /** As that of the first. */
  chance: number;
  /** In [0, 1): how much later it begins. */
  lag: number;
}

/** Where and how to strike. */
export interface Point extends Place {
  /** From 1, over the whole run. */
  number: number;
  /** Place of the command in the plan's order, from 1. */
  index: number;
  /** When it began in the reference build, ms since the epoch. */
  atMs: number;
  side: 'begin' | 'end';
  fault: FaultName;
  /** In [0, 1): how long the fault lasts, which program is hit; the fault says what it makes of it. */
  chance: number;
  /** What happens at the same time. */
  also?: Second;
}

/** All faults of a point, with the host that each hits. */
export const faultsOf = ({ fault, host, also }: Point): { fault: FaultName; host: string }[] =>
  also
    ? [
        { fault, host },
        { fault: also.fault, host: also.host },
      ]
    : [{ fault, host }];

/** A command of the reference build. */
export type Command = Row & { index: number };

const SIDES = ['begin', 'end'] as const;
/** Faults that can strike at any command. */
const EVERYWHERE = [...PROCESS_FAULTS, ...HOST_FAULTS].filter((fault) => fault !== 'packages');

/** `packages` only strikes where a package manager runs: one in so many points. */
const PACKAGES_SHARE = 10;

/** The command that installs packages: the script gets their names. */
const installs = (row: Row): boolean => row.phase === 'prepare' && row.kind === 'script' && row.argv.includes('chrony');

/**
 * Commands of a build without faults, in the order of its plan: the same in every run, while times are not. Those of no
 * task are left out: how often the cluster's health is looked at in the end is a matter of time.
 */
export function commandsOf(rows: readonly Row[], tasks: readonly { phase: string; host: string }[]): Command[] {
  const order = new Map(tasks.map(({ phase, host }, at) => [`${phase}:${host}`, at]));
  const place = (row: Row): number => order.get(`${row.phase}:${row.host}`)!;
  return rows
    .filter((row) => row.attempt === 1 && order.has(`${row.phase}:${row.host}`))
    .sort((a, b) => place(a) - place(b) || a.seq - b.seq)
    .map((row, at) => ({ ...row, index: at + 1 }));
}

/**
 * `count` different points over a whole build: its command boundaries are cut into as many stretches of equal length,
 * one boundary is drawn from each, and the faults are dealt out evenly. Follows from commands and seed alone.
 */
export function choosePoints(commands: readonly Command[], seed: number, count: number): Point[] {
  const random = seeded(seed);
  const boundaries = commands.flatMap((command) => SIDES.map((side) => ({ command, side })));
  const packageRuns = shuffled(random, commands.filter(installs));
  const forPackages = packageRuns.length === 0 ? 0 : Math.max(1, Math.floor(count / PACKAGES_SHARE));
  const drawn: Omit<Point, 'number'>[] = Array.from({ length: forPackages }, (_, nth) => ({
    ...placeOf(packageRuns[nth % packageRuns.length]!),
    side: 'begin',
    fault: 'packages',
    chance: (nth + random()) / forPackages,
  }));

  const rest = count - forPackages;
  const faults = shuffled(
    random,
    Array.from({ length: rest }, (_, nth) => EVERYWHERE[nth % EVERYWHERE.length]!),
  );
  for (const [nth, fault] of faults.entries()) {
    const from = Math.floor((nth * boundaries.length) / rest);
    const to = Math.floor(((nth + 1) * boundaries.length) / rest);
    const { command, side } = boundaries[from + pick(random, Math.max(1, to - from))]!;
    drawn.push({ ...placeOf(command), side, fault, chance: random() });
  }
  return drawn
    .sort((a, b) => a.index - b.index || a.side.localeCompare(b.side))
    .map((point, at) => ({ ...point, number: at + 1 }));
}

/** Every boundary of a build, each with one fault; which one changes from boundary to boundary and with the seed. */
export function everyPoint(commands: readonly Command[], seed: number): Point[] {
  const random = seeded(seed);
  const faults = shuffled(random, EVERYWHERE);
  return commands
    .flatMap((command) => SIDES.map((side) => ({ command, side })))
    .map(({ command, side }, at) => ({
      ...placeOf(command),
      number: at + 1,
      side,
      fault: installs(command) && side === 'begin' ? 'packages' : faults[at % faults.length]!,
      chance: random(),
    }));
}

/** Deal the points out to builds so that those of one build lie far apart; within a build in the order of time. */
export function dealOut(points: readonly Point[], perBuild: number): Point[][] {
  const builds = Math.ceil(points.length / perBuild);
  return Array.from({ length: builds }, (_, build) =>
    points.filter((_point, at) => at % builds === build).sort((a, b) => a.atMs - b.atMs),
  );
}

function placeOf({ phase, host, seq, index, startedAt }: Command): Place & { index: number; atMs: number } {
  return { phase, host, seq, index, atMs: Date.parse(startedAt) };
}
