import { once } from 'node:events';
import pLimit from 'p-limit';
import { addressInScope, addressVerdict, credentialUse } from '../../contracts/credential-use.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { SshTarget } from '../../contracts/host.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { ClaimingHost } from './claiming-host.ts';
import type { Elevation } from './command-line.ts';
import { connectError } from './connect-error.ts';
import { type ConnectOptions, connect, type SshConnection, whereIs } from './connection.ts';
import { type Credential, type CredentialResolver, type HostLogger, noCredential } from './credentials.ts';
import { readFacts } from './facts.ts';
import { claim } from './fence.ts';
import { type HostKeyStore, hostKeyAlgorithms, pinnedFingerprint } from './host-keys.ts';
import { JournaledHost } from './journaled-host.ts';
import { jumpError } from './jump-error.ts';
import { credentialSecrets } from './known-secrets.ts';
import { loginTimes } from './login-times.ts';
import { requireOwn } from './ownership.ts';
import { abortable, type Login, PooledTarget } from './pooled.ts';
import { AddressRefused, openSocket } from './socket.ts';
import { SshHost } from './ssh-host.ts';
import type { HostOpener, HostSession } from './types.ts';
import { jumpName, unconfirmedKey } from './unconfirmed-key.ts';

/** Ceilings and times of a pool; each has a default. */
export interface SshPoolLimits {
  /** Commands at once per connection. */
  channels?: number;
  /** Logins at once, over all hosts: each costs both sides a key exchange. */
  logins?: number;
  /** A connection unused for so long is closed, ms. */
  idleMs?: number;
  /** For a TCP connection, and then until the server has greeted and exchanged keys, ms. */
  connectTimeoutMs?: number;
  readyTimeoutMs?: number;
  /** For the whole login, until the first command may start, ms; `loginTimeoutSeconds` of a target goes before both. */
  loginTimeoutMs?: number;
  /** How long a host that cannot be reached is tried again before that is the verdict, ms. */
  retryForMs?: number;
  /** A keepalive is sent so often, ms; no byte for `keepaliveCount` of them means that the host is gone. */
  keepaliveMs?: number;
  keepaliveCount?: number;
}

/**
 * A host that goes away under a command is missed after 6 to 10 s, and it is reported when `retryForMs` and one try
 * more have passed: together below half a minute. A restarted sshd or a quick reboot is forgiven.
 */
const DEFAULTS: Required<SshPoolLimits> = {
  channels: LIMITS.channelsPerHost,
  logins: 32,
  idleMs: 5 * 60_000,
  connectTimeoutMs: 3_000,
  readyTimeoutMs: 15_000,
  // systemd-logind that does not answer alone holds a login for 25 s.
  loginTimeoutMs: 30_000,
  retryForMs: 13_000,
  keepaliveMs: 2_000,
  keepaliveCount: 3,
};

export interface SshPoolDeps {
  credentials: CredentialResolver;
  hostKeys: HostKeyStore;
  logger?: HostLogger | undefined;
  limits?: SshPoolLimits | undefined;
  /** Called after every login: `ok`, or the code of its error. */
  onLogin?: ((result: string) => void) | undefined;
}

/** Connections to hosts, shared by everything in this process that opens them. */
export interface SshPool extends HostOpener {
  /** Connections that are open now. */
  connections(): number;
  /** Closes all connections; running commands lose theirs. */
  close(): Promise<void>;
}

/**
 * A pool of SSH connections: one per login (cluster, host, address, port, user, credential, jump host, pinned key).
 * `open` throws SSH_UNREACHABLE, SSH_AUTH_FAILED, SSH_HOST_KEY_MISMATCH, SSH_HOST_KEY_UNCONFIRMED,
 * SSH_CREDENTIAL_UNUSABLE, COMMAND_ABORTED, HOST_OF_ANOTHER_CLUSTER, and with a fence what `claim` throws.
 */
export function createSshPool(deps: SshPoolDeps): SshPool {
  const limits = { ...DEFAULTS, ...deps.limits };
  const targets = new Map<string, PooledTarget>();
  const logins = pLimit(limits.logins);
  let closed = false;

  const pooled = (cluster: string, target: SshTarget): PooledTarget => {
    const { name, address, port, user, credential, hostKey, jump, loginTimeoutSeconds } = target;
    const where = [address, port, user, credential, hostKey ?? null, jump ?? null, loginTimeoutSeconds ?? null];
    const key = JSON.stringify([cluster, name, ...where]);
    const found = targets.get(key);
    if (found) return found;
    const made = new PooledTarget({
      name,
      channels: limits.channels,
      idleMs: limits.idleMs,
      retryForMs: limits.retryForMs,
      logger: deps.logger,
      login: async (leftMs) => {
        try {
          const done = await login(cluster, target, leftMs);
          deps.onLogin?.('ok');
          return done;
        } catch (error) {
          deps.onLogin?.(KubewrightError.is(error) ? error.code : 'INTERNAL');
          throw error;
        }
      },
      onIdle: () => {
        if (targets.get(key) === made) targets.delete(key);
      },
    });
    targets.set(key, made);
    return made;
  };

  /** One login: credential, host key, way (direct or through a bastion), first use recorded. */
  const login = async (cluster: string, target: SshTarget, leftMs: number): Promise<Login> => {
    const { name, address, port, user } = target;
    const times = { ...limits, ...loginTimes(target, limits, leftMs) };
    const connectMs = Math.min(limits.connectTimeoutMs, leftMs);
    const use = credentialUse(target);
    const { addresses, ...credential } = await deps.credentials.resolve(cluster, use);
    const known = target.hostKey ?? (await deps.hostKeys.get(cluster, name));
    const expectedFingerprint = known === null ? null : pinnedFingerprint(known);
    // Public-key login reveals no secret to the server; a password login gives the server the password.
    const confirmed =
      passwordOf(credential) === undefined ||
      target.hostKey !== undefined ||
      (await deps.hostKeys.confirmed(cluster, name));
    const unconfirmed = confirmed ? undefined : (shown: string) => unconfirmedKey(cluster, target, shown);
    // The name itself may be listed; what it resolves to is then the business of who listed it.
    const compare =
      addresses !== undefined && addressVerdict({ addresses: [...addresses] }, use) === 'after-resolution';
    const allows = compare ? (ip: string) => addressInScope(addresses, ip) : undefined;
    const secrets = credentialSecrets(credential);
    const attempt = async (algorithms: ConnectOptions['algorithms']): Promise<SshConnection> => {
      const jump = target.jump && (await throughJump(cluster, target, target.jump, connectMs));
      if (jump) secrets.push(...jump.secrets);
      // Outside the limit: dead hosts must not keep the others waiting.
      const sock =
        jump?.stream ??
        (await openSocket(address, port, connectMs, allows).catch((error: unknown) => {
          if (error instanceof AddressRefused) throw refusedAddress(cluster, target);
          throw connectError(error, name, whereIs({ host: name, address, port, user }));
        }));
      return logins(() =>
        connect({
          host: name,
          address,
          port,
          user,
          credential,
          times,
          sock,
          algorithms,
          expectedFingerprint,
          unconfirmed,
        }),
      ).catch((error: unknown) => {
        sock.destroy();
        throw error;
      });
    };
    const connection = await firstMatch(known, attempt);
    // Also a fingerprint that was confirmed before there was a login becomes the key that was shown.
    if (target.hostKey === undefined && (known === null || known.startsWith('SHA256:'))) {
      await deps.hostKeys.record(cluster, name, connection.hostKey).catch((error: unknown) => {
        connection.close();
        throw error;
      });
    }
    deps.logger?.debug(
      { cluster, host: name, fingerprint: connection.fingerprint },
      'the worker opened an SSH connection',
    );
    return { connection, elevation: elevationOf(user, credential), secrets };
  };

  /** A stream from the bastion to the host. The bastion is a target of the pool like any other, with its own key check. */
  const throughJump = async (
    cluster: string,
    target: SshTarget,
    jump: NonNullable<SshTarget['jump']>,
    timeoutMs: number,
  ) => {
    const bastion = pooled(cluster, { ...jump, name: jumpName(jump) });
    const release = bastion.acquire();
    try {
      const { connection, secrets } = await bastion.login();
      const stream = await connection.forward(target.address, target.port, timeoutMs);
      void once(stream, 'close').then(release, release);
      return { stream, secrets };
    } catch (error) {
      release();
      throw jumpError(error, target, jump);
    }
  };

  return {
    connections: () => [...targets.values()].reduce((sum, target) => sum + target.open, 0),
    async open(target, { cluster, signal, recorder, secrets, owner, fence, claims = 'now' }): Promise<HostSession> {
      if (closed) throw new KubewrightError('COMMAND_ABORTED', 'the SSH pool is closed', { host: target.name });
      const entry = pooled(cluster, target);
      const release = entry.acquire();
      try {
        // A connection that is open already was allowed once: what is allowed may have changed since.
        await deps.credentials.check?.(cluster, credentialUse(target));
        if (target.jump) await deps.credentials.check?.(cluster, credentialUse(target.jump));
        const { connection, secrets: own } = await abortable(entry.login(), signal, target.name);
        secrets.add(...own);
        const { fingerprint } = connection;
        const journaled = (inner: SshHost) =>
          new JournaledHost(inner, {
            recorder,
            hostKeyFingerprint: fingerprint,
            secrets,
            logger: deps.logger,
          });
        const { name } = target;
        // Shared by all who wait for them, so no single caller's abort may end the reading; it has a timeout of its own.
        const reading = entry.facts(connection, () =>
          readFacts(journaled(new SshHost(name, entry, new AbortController().signal))),
        );
        const facts = await abortable(reading, signal, name);
        const mine = fence && { cluster, ...fence };
        const unqueued = journaled(new SshHost(name, entry.unqueued, signal));
        const fenced = journaled(new SshHost(name, entry, signal, mine));
        const session = { facts, hostKeyFingerprint: fingerprint };
        if (mine && claims === 'with-first-command')
          return { ...session, host: new ClaimingHost({ fence: mine, owner, unqueued, fenced }) };
        if (mine) await claim(unqueued, mine, owner);
        else if (owner) await requireOwn(unqueued, owner);
        return { ...session, host: fenced };
      } finally {
        release();
      }
    },
    async close() {
      closed = true;
      const all = [...targets.values()];
      targets.clear();
      await Promise.all(all.map((target) => target.close()));
    },
  };
}

/**
 * Tries the lists of host key algorithms in turn. A key that does not match ends it, unless only a fingerprint is known:
 * then the host may have the right key of another type.
 */
async function firstMatch<T>(
  known: string | null,
  attempt: (list: ConnectOptions['algorithms']) => Promise<T>,
): Promise<T> {
  let failure: unknown;
  for (const list of hostKeyAlgorithms(known)) {
    try {
      return await attempt(list);
    } catch (error) {
      if (!KubewrightError.is(error)) throw error;
      // ssh2's words when the host has no key of the types asked for.
      const absent = /no matching host key/i.test(error.evidence ?? '');
      const mismatch = error.code === 'SSH_HOST_KEY_MISMATCH';
      if (!absent && !mismatch) throw error;
      if (mismatch || failure === undefined) failure = error;
      if (mismatch && !known?.startsWith('SHA256:')) break;
    }
  }
  throw failure;
}

function elevationOf(user: string, credential: Credential): Elevation {
  if (user === 'root') return { kind: 'none' };
  const password = passwordOf(credential);
  return password === undefined ? { kind: 'sudo' } : { kind: 'sudo-password', password };
}

/** The password that the host gets to see: at the login, or by sudo. */
function passwordOf(credential: Credential): string | undefined {
  return credential.kind === 'agent' ? undefined : credential.password;
}

/** As if the credential did not exist: see createCredentialResolver. */
function refusedAddress(cluster: string, { name, address, credential }: SshTarget): KubewrightError {
  const label = 'name' in credential ? credential.name : '';
  return new KubewrightError('SSH_CREDENTIAL_UNUSABLE', noCredential(label, cluster, address), { host: name });
}
