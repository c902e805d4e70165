import type { SshTarget } from '../../contracts/host.ts';
import type { Change } from '../../contracts/operation.ts';
import type { JournalEntry, RecordKind } from '../../contracts/record.ts';
import type { RecordBegun, RecordEnded } from '../../store/journal-record.ts';
import type { KnownSecrets } from './known-secrets.ts';
import type { Ownership } from './ownership-marker.ts';

/** How a command runs on a host. */
export interface ExecOptions {
  /** Written to the command's standard input, then closed. */
  stdin?: string | Uint8Array | undefined;
  /** Set with `env K=V` on the remote side; names are checked. */
  env?: Record<string, string> | undefined;
  /** Default 60,000. Ends the remote process group and throws COMMAND_TIMEOUT. */
  timeoutMs?: number | undefined;
  /** Default [0]. Any other code throws COMMAND_FAILED; 'any' never throws for a code. */
  okCodes?: readonly number[] | 'any' | undefined;
  /** Default true: through sudo when the login user is not root. */
  sudo?: boolean | undefined;
  /** Default LIMITS.commandOutputBytes per stream; the rest is counted, not kept. */
  maxOutputBytes?: number | undefined;
  /** Values masked wherever this command is recorded or reported. */
  secrets?: readonly string[] | undefined;
  /** What it changes when it succeeds: for the journal. */
  changes?: readonly Change[] | undefined;
  /** Set by JournaledHost. */
  observer?: CommandObserver | undefined;
}

/**
 * `not-run`: the host was not asked to run it; `unknown`: it was, and said nothing of it before the connection was lost or
 * our patience ended.
 */
export type Delivery = NonNullable<RecordEnded['delivery']>;

/** Records what a host does without a command, or refuses to do: the journal has that as well. */
export interface CommandObserver {
  /** Around a line that ends the command, with its argv: calls `send`, and rejects as that does. */
  stopping(argv: readonly string[], send: () => Promise<ExecResult>): Promise<unknown>;
  /** It failed, and did not run, or it is unknown whether it did. */
  failed(delivery: Delivery): void;
}

export interface ExecResult {
  code: number;
  stdout: string;
  stderr: string;
  durationMs: number;
  /** True when either stream was cut at maxOutputBytes. */
  truncated: boolean;
  /** Such as SIGKILL when the command ended by a signal; `code` is then 128 + its number, as in a shell. */
  signal?: string | null | undefined;
  /** Bytes that the command wrote, kept or not. */
  stdoutBytes?: number | undefined;
  stderrBytes?: number | undefined;
}

export interface UploadOptions {
  /** Such as 0o644 (default). */
  mode?: number | undefined;
  /** Default root. */
  owner?: string | undefined;
  /** Default: the login group of the owner. */
  group?: string | undefined;
  secrets?: readonly string[] | undefined;
  changes?: readonly Change[] | undefined;
  observer?: CommandObserver | undefined;
}

/**
 * One Linux machine, commands and files. Implementations: `SshHost` (ssh-host.ts), `JournaledHost` around it, `FakeHost` in
 * unit tests. Every method throws KubewrightError with a code of the catalogue; an aborted signal (given when the host
 * was opened) ends the remote process group and throws COMMAND_ABORTED.
 */
export interface RemoteHost {
  readonly name: string;
  /** Run one program. No shell sees the arguments. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Run a POSIX sh script, given on standard input to `sh -eu`; args become $1... (so never interpolate values). */
  script(text: string, args?: readonly string[], options?: Omit<ExecOptions, 'stdin'>): Promise<ExecResult>;
  /** Replace a file atomically (temporary file beside it, mode and owner set, renamed). */
  upload(path: string, content: string | Uint8Array, options?: UploadOptions): Promise<void>;
}

/** What a host is. Read once per connection, read-only. */
export interface HostFacts {
  hostname: string;
  machineId: string;
  bootId: string;
  /** amd64, arm64, or the kernel's own name for anything else. */
  arch: string;
  kernel: string;
  os: { id: string; idLike: string[]; versionId: string; name: string };
  packageManager: 'apt' | 'dnf' | 'none';
  /** systemd, or the name of process 1. */
  initSystem: string;
  cgroup: 1 | 2;
  cpus: number;
  memoryMiB: number;
  virtualization: string;
  /** The mode of SELinux; absent: it is off. */
  selinux?: 'enforcing' | 'permissive';
  /** IPv4 addresses beyond loopback, with the length of their networks; absent: not known. */
  networks?: readonly HostNetwork[];
}

/** An IPv4 address of a host. */
export interface HostNetwork {
  link: string;
  address: string;
  bits: number;
}

/** An open host: the connection, who it is, and what it is. */
export interface HostSession {
  readonly host: RemoteHost;
  readonly facts: HostFacts;
  /** SHA256:... of the key that the host showed. */
  readonly hostKeyFingerprint: string;
}

/** Written before and after each command, so that a crash leaves a visible open record. */
export type CommandStart = Pick<RecordBegun, 'argv' | 'stdinSha256' | 'stdinBytes' | 'changes' | 'startedAt'> &
  Pick<JournalEntry, 'host' | 'hostKeyFingerprint'> & {
    /** `stop`: what we ran beside another command to end it. */
    kind: Extract<RecordKind, 'exec' | 'script' | 'upload' | 'stop'>;
    /** Of a stop: the number of the command that it ends. */
    ends?: number | undefined;
  };
export type CommandEnd = Omit<RecordEnded, 'operation'>;
export interface CommandRecorder {
  begin(record: CommandStart): Promise<OpenCommand>;
}
/** A record without its end yet. */
export interface OpenCommand {
  /** Of the command within the attempt, from 1; of a stop that of the command which it ends. */
  readonly seq: number;
  end(record: CommandEnd): Promise<void>;
}

/**
 * Opens hosts. The pool keeps one connection per target. The login's own secrets are added to `secrets`. With `fence`
 * (scope: a phase; token: fenceToken() of fence.ts) the host is claimed first: what older holders still run there ends,
 * and every command then runs only while no newer one has come. A host that carries the mark of a cluster other than
 * `owner` is not opened, with a fence or without: HOST_OF_ANOTHER_CLUSTER. With `claims: 'with-first-command'` the first
 * command as root claims, and throws that.
 */
export interface HostOpener {
  open(
    target: SshTarget,
    more: {
      cluster: string;
      signal: AbortSignal;
      recorder: CommandRecorder;
      secrets: KnownSecrets;
      /** Null: marks are not looked at, in tests of what is below them. */
      owner: Ownership | null;
      fence?: { scope: string; token: string } | undefined;
      /** When the fence is claimed; default `now`, before this returns. */
      claims?: 'now' | 'with-first-command' | undefined;
    },
  ): Promise<HostSession>;
}
