/** What the probe script found on a host. */
export interface PreflightReport {
  /** The host's clock when the script began, ms since the epoch. */
  clockMs: number;
  /** How each peer was reached: ping, open, refused. A peer that is not here did not answer in time. */
  peers: ReadonlyMap<string, readonly string[]>;
  /** `ok`, or what curl said; null when nobody asked (no mirror, or no curl yet). */
  mirror: string | null;
  disks: readonly { folder: string; freeMiB: number; mountPoint: string; device: string }[];
  addresses: readonly string[];
  /** What the internal address resolves to, when it is a name. */
  resolved: string | null;
  ports: readonly { port: number; local: string; pid: string; name: string; exe: string }[];
  controllers: readonly string[];
  /** Where each kernel feature was found; null = it was not. */
  features: ReadonlyMap<string, string | null>;
  /** False when the script ended early. */
  complete: boolean;
}

/** Reads what PROBE_SCRIPT printed. Unknown lines are skipped. */
export function parseReport(stdout: string): PreflightReport {
  const rows = stdout.split('\n').map((line) => line.split('\t'));
  const of = (kind: string): string[][] => rows.filter((row) => row[0] === kind).map((row) => row.slice(1));
  const one = (kind: string): string | null => of(kind)[0]?.[0] ?? null;
  const peers = new Map<string, string[]>();
  for (const [peer = '', how = ''] of of('peer')) peers.set(peer, [...(peers.get(peer) ?? []), how].sort());
  return {
    clockMs: Number(one('clock') ?? 0) / 1e6,
    peers,
    mirror: one('mirror'),
    disks: of('disk').map(([folder = '', free = '', mountPoint = '', device = '']) => ({
      folder,
      freeMiB: Math.floor(Number(free) / 1024),
      mountPoint,
      device,
    })),
    addresses: of('address').flatMap(([address]) => (address ? [address] : [])),
    resolved: one('resolved'),
    ports: of('port').map(([port = '', local = '', pid = '', name = '', exe = '']) => ({
      port: Number(port),
      local,
      pid,
      name,
      exe,
    })),
    controllers: (one('controllers') ?? '').split(' ').filter((name) => name !== ''),
    features: new Map(of('feature').map(([name = '', found = '-']) => [name, found === '-' ? null : found])),
    complete: of('end').length > 0,
  };
}
