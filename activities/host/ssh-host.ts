import { posix } from 'node:path';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { CommandError, checkCode } from './command-error.ts';
import type { Elevation } from './command-line.ts';
import { ChannelOpenError } from './connection.ts';
import { type Command, runCommand } from './exec.ts';
import type { Fence } from './fence.ts';
import { withEnv } from './quote.ts';
import type { ConnectionSource } from './source.ts';
import type { CommandObserver, ExecOptions, ExecResult, RemoteHost, UploadOptions } from './types.ts';

/** Default time of one command, ms (types.ts). */
const TIMEOUT_MS = 60_000;
/** An upload's floor of time, ms, and the slowest line that is still waited for, bytes per second. */
const UPLOAD_MS = 60_000;
const UPLOAD_BYTES_PER_SECOND = 256 * 1024;

/**
 * Writes standard input to a file beside the target, then renames it over. Its name is always the same: one that a kill
 * left half-written is overwritten by the next upload. The size is checked because a lost connection
 * looks like the end of the content. Arguments: path, directory, bytes, mode, owner.
 */
const UPLOAD = `
set -eu
umask 077
[ -d "$2" ] || { echo "the directory $2 does not exist" >&2; exit 72; }
[ ! -d "$1" ] || { echo "$1 is a directory" >&2; exit 72; }
part="$2/.\${1##*/}.kubewright-new"
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP INT TERM PIPE
cat >"$part"
got=$(wc -c <"$part")
[ "$got" -eq "$3" ] || { echo "only $got of $3 bytes came" >&2; exit 74; }
chown "$5" "$part"
chmod "$4" "$part"
mv -f -T "$part" "$1"
`;

/**
 * A host behind the pool: every call takes a channel of its shared connection, connecting again when it was lost. With a
 * fence, whatever runs as root runs only while that is held: HOST_BUSY or FENCE_LOST otherwise.
 */
export class SshHost implements RemoteHost {
  readonly name: string;
  readonly #source: ConnectionSource;
  readonly #signal: AbortSignal;
  readonly #fence: Fence | undefined;

  constructor(name: string, source: ConnectionSource, signal: AbortSignal, fence?: Fence) {
    this.name = name;
    this.#source = source;
    this.#signal = signal;
    this.#fence = fence;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const full = withEnv(argv, options.env);
    const result = await this.#run(full, options);
    return checkCode(this.name, argv, result, options.okCodes);
  }

  async script(
    text: string,
    args: readonly string[] = [],
    options: Omit<ExecOptions, 'stdin'> = {},
  ): Promise<ExecResult> {
    const argv = scriptArgv(args);
    const result = await this.#run(withEnv(argv, options.env), { ...options, stdin: scriptInput(text) });
    return checkCode(this.name, argv, result, options.okCodes);
  }

  async upload(path: string, content: string | Uint8Array, options: UploadOptions = {}): Promise<void> {
    if (!posix.isAbsolute(path) || path.endsWith('/') || posix.normalize(path) !== path) {
      throw new KubewrightError('INTERNAL', `not the absolute path of a file: ${path.slice(0, 200)}`);
    }
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    const { mode, owner } = uploadAttributes(options);
    await this.exec(['sh', '-c', UPLOAD, 'upload', path, posix.dirname(path), String(bytes.length), mode, owner], {
      stdin: bytes,
      timeoutMs: UPLOAD_MS + (bytes.length / UPLOAD_BYTES_PER_SECOND) * 1000,
      observer: options.observer,
    });
  }

  async #run(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const { observer = UNOBSERVED } = options;
    let sent = false;
    const running = this.#source.use(this.#signal, async (connection, { elevation, killers }) => {
      const how: Elevation = options.sudo === false ? { kind: 'none' } : elevation;
      const command: Command = {
        host: this.name,
        argv,
        elevation: how,
        // Another user can write nothing of ours, not even that he is here.
        fence: options.sudo === false ? undefined : this.#fence,
        stdin: options.stdin,
        timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
        maxOutputBytes: options.maxOutputBytes ?? LIMITS.commandOutputBytes,
        signal: this.#signal,
        observer,
      };
      sent = !this.#signal.aborted;
      return runCommand(connection, command, killers).catch((error: unknown) => {
        sent &&= !(error instanceof ChannelOpenError);
        throw error;
      });
    });
    return running.catch((error: unknown) => {
      if (!sent) observer.failed('not-run');
      else if (!(error instanceof CommandError && error.began)) observer.failed('unknown');
      throw error;
    });
  }
}

const UNOBSERVED: CommandObserver = { stopping: (_argv, send) => send(), failed: () => {} };

/** The argv of a script whose text comes on standard input. */
export function scriptArgv(args: readonly string[]): string[] {
  return ['sh', '-eu', '-s', '--', ...args];
}

/**
 * The shell reads the whole group before it runs the first command: a connection lost on the way runs nothing rather than
 * half of it. And its commands see an empty standard input, so none can swallow the rest of the script.
 */
export function scriptInput(text: string): string {
  return `{ :; ${text}\n} </dev/null\n`;
}

/** Mode as chmod takes it, owner as chown does: without a group, the owner's login group. */
export function uploadAttributes(options: UploadOptions): { mode: string; owner: string } {
  const { mode = 0o644, owner = 'root', group = '' } = options;
  return { mode: mode.toString(8).padStart(4, '0'), owner: `${owner}:${group}` };
}
