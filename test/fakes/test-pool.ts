import type { Credential } from '../../activities/host/credentials.ts';
import type { HostKeyStore } from '../../activities/host/host-keys.ts';
import { KnownSecrets } from '../../activities/host/known-secrets.ts';
import type { Ownership } from '../../activities/host/ownership-marker.ts';
import { createSshPool, type SshPool, type SshPoolLimits } from '../../activities/host/pool.ts';
import type {
  CommandEnd,
  CommandRecorder,
  CommandStart,
  HostSession,
  OpenCommand,
} from '../../activities/host/types.ts';
import type { SshTarget } from '../../contracts/host.ts';

/** Host keys in memory. */
export class MemoryHostKeys implements HostKeyStore {
  readonly keys = new Map<string, string>();
  async get(cluster: string, host: string): Promise<string | null> {
    return this.keys.get(`${cluster}/${host}`) ?? null;
  }
  async record(cluster: string, host: string, key: string): Promise<void> {
    this.keys.set(`${cluster}/${host}`, key);
  }
  /** Hosts whose key a person confirmed, `<cluster>/<host>`. */
  readonly sure = new Set<string>();
  async confirmed(cluster: string, host: string): Promise<boolean> {
    return this.sure.has(`${cluster}/${host}`);
  }
}

/** Journal in memory: an entry without `end` is a command that was still open. */
export class MemoryRecorder implements CommandRecorder {
  readonly entries: { start: CommandStart; end: CommandEnd | null }[] = [];
  async begin(start: CommandStart): Promise<OpenCommand> {
    const entry: (typeof this.entries)[number] = { start, end: null };
    return {
      seq: this.entries.push(entry),
      async end(end) {
        entry.end = end;
      },
    };
  }
}

/** A pool with everything around it in memory. */
export interface TestPool {
  pool: SshPool;
  hostKeys: MemoryHostKeys;
  recorder: MemoryRecorder;
  warnings: string[];
  /** Logins tried by now. */
  tries: () => number;
  open: (
    target?: Partial<SshTarget>,
    more?: {
      signal?: AbortSignal;
      secrets?: string[];
      owner?: Ownership | null;
      fence?: { scope: string; token: string };
      claims?: 'now' | 'with-first-command';
    },
  ) => Promise<HostSession>;
}

/** Credentials by name; one try per login unless the limits say more; `target` is what `open` uses where the caller says nothing else. */
export function testPool(
  credentials: Readonly<Record<string, Credential>>,
  target: Pick<SshTarget, 'port'> & Partial<SshTarget>,
  limits: SshPoolLimits = {},
): TestPool {
  const hostKeys = new MemoryHostKeys();
  const recorder = new MemoryRecorder();
  const warnings: string[] = [];
  let tries = 0;
  const pool = createSshPool({
    hostKeys,
    limits: { retryForMs: 0, ...limits },
    logger: { debug: () => {}, warn: (_details, message) => warnings.push(message) },
    credentials: {
      async resolve(_cluster, { credential: ref }) {
        tries += 1;
        const found = 'name' in ref ? credentials[ref.name] : undefined;
        if (!found) throw new Error(`no test credential for ${JSON.stringify(ref)}`);
        return found;
      },
    },
  });
  const defaults: SshTarget = {
    name: 'host-1',
    address: '127.0.0.1',
    user: 'root',
    credential: { name: Object.keys(credentials)[0] ?? '' },
    ...target,
  };
  return {
    pool,
    hostKeys,
    recorder,
    warnings,
    tries: () => tries,
    open: (overrides = {}, { signal = new AbortController().signal, secrets = [], owner = null, fence, claims } = {}) =>
      pool.open(
        { ...defaults, ...overrides },
        { cluster: 'test', signal, recorder, secrets: new KnownSecrets(secrets), owner, fence, claims },
      ),
  };
}
