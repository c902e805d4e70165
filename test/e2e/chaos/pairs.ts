import { type FaultName, HOST_FAULTS, isHostFault, type Point, PROCESS_FAULTS, type Second } from './points.ts';
import { pick, seeded, shuffled } from './random.ts';

/** One in so many points has a second fault. */
const SHARE = 5;
/** As many as that makes, and at least one. */
export const pairsOf = (points: number): number => Math.max(1, Math.floor(points / SHARE));

/** Faults of hosts that can begin while another one is on: `packages` waits for a package manager. */
const OUTAGES = HOST_FAULTS.filter((fault) => fault !== 'packages');
/** So that the points themselves are the same with and without pairs. */
const OWN_STREAM = 0x70616972;

type Hit = Pick<Second, 'fault' | 'host'>;

/** What two faults of a pair can be, in the order in which pairs are dealt out: first what the second may be, if anything. */
const SHAPES: readonly ((point: Point, hosts: readonly string[]) => Hit[])[] = [
  // A worker that dies while a host reboots, Temporal while a link is cut: of our processes and of a host one each.
  ({ fault, host }) => (isHostFault(fault) ? on(host, PROCESS_FAULTS) : []),
  // Two hosts at once, in the same way or in two.
  ({ fault, host }, hosts) =>
    isHostFault(fault) && fault !== 'packages'
      ? hosts.filter((other) => other !== host).flatMap((other) => on(other, OUTAGES))
      : [],
  // The same the other way round, at any host: the process has begun to die when the host goes.
  ({ fault }, hosts) => (isHostFault(fault) ? [] : hosts.flatMap((host) => on(host, OUTAGES))),
  // Two of our processes: `all` is three.
  ({ fault, host }) =>
    isHostFault(fault) || fault === 'all'
      ? []
      : on(
          host,
          PROCESS_FAULTS.filter((other) => other !== fault && other !== 'all'),
        ),
];

const on = (host: string, faults: readonly FaultName[]): Hit[] => faults.map((fault) => ({ fault, host }));

/** The same points, `count` of them with a second fault. Follows from points and seed alone. */
export function withPairs(points: readonly Point[], seed: number, count: number): Point[] {
  const random = seeded(seed ^ OWN_STREAM);
  const hosts = [...new Set(points.map(({ host }) => host))].sort();
  const left = shuffled(random, points);
  const seconds = new Map<number, Second>();
  for (let nth = 0; seconds.size < Math.min(count, points.length) && nth < SHAPES.length * points.length; nth += 1) {
    const shape = SHAPES[nth % SHAPES.length]!;
    const at = left.findIndex((point) => shape(point, hosts).length > 0);
    const [point] = at < 0 ? [] : left.splice(at, 1);
    if (!point) continue;
    const hits = shape(point, hosts);
    seconds.set(point.number, { ...hits[pick(random, hits.length)]!, chance: random(), lag: random() });
  }
  return points.map((point) => {
    const also = seconds.get(point.number);
    return also ? { ...point, also } : point;
  });
}
