import { scriptInput } from '../../activities/host/ssh-host.ts';
import type { ExecOptions, ExecResult, RemoteHost, UploadOptions } from '../../activities/host/types.ts';

/** Counts the commands of the scripts that run, on the host: one character each. */
const STEPS = '/run/kwtest-steps';

/**
 * bash calls this before every simple command, in functions, subshells and background jobs as well. At the given one it
 * kills the whole session, as when the remote command of a dead worker is ended: no trap runs, nothing is flushed.
 */
const AMBUSH = `
kwtest_die_at=$KWTEST_DIE_AT
unset KWTEST_DIE_AT
kwtest_step() {
  printf . >>${STEPS}
  kwtest_done=$(<${STEPS})
  [ "\${#kwtest_done}" -ge "$kwtest_die_at" ] || return 0
  read -r _ _ _ _ _ kwtest_session _ </proc/$$/stat
  pkill -KILL -s "$kwtest_session"
}
set -o functrace
trap kwtest_step DEBUG
`;

/**
 * A host whose shell scripts die at the n-th command, counted over everything that runs through it. Scripts run in bash
 * instead of the host's sh, for its trap; programs run as they are. `steps` says how many commands there were.
 */
export class DyingHost implements RemoteHost {
  readonly name: string;
  readonly #inner: RemoteHost;
  readonly #dieAt: number;

  constructor(inner: RemoteHost, dieAt: number) {
    this.name = inner.name;
    this.#inner = inner;
    this.#dieAt = dieAt;
  }

  /** Forgets the steps of an earlier life. */
  static async reset(host: RemoteHost): Promise<void> {
    await host.exec(['rm', '-f', STEPS]);
  }

  static async steps(host: RemoteHost): Promise<number> {
    const { stdout } = await host.exec(['sh', '-c', `cat ${STEPS} 2>/dev/null || :`]);
    return stdout.length;
  }

  exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const [shell, flag, text = '', ...rest] = argv;
    if (shell !== 'sh' || flag !== '-c') return this.#inner.exec(argv, options);
    return this.#inner.exec(['bash', '--posix', '-c', `${AMBUSH}${text}`, ...rest], this.#with(options));
  }

  script(text: string, args: readonly string[] = [], options: Omit<ExecOptions, 'stdin'> = {}): Promise<ExecResult> {
    const argv = ['bash', '--posix', '-eu', '-s', '--', ...args];
    return this.#inner.exec(argv, { ...this.#with(options), stdin: scriptInput(`${AMBUSH}${text}`) });
  }

  upload(path: string, content: string | Uint8Array, options?: UploadOptions): Promise<void> {
    return this.#inner.upload(path, content, options);
  }

  #with(options: ExecOptions): ExecOptions {
    return { ...options, env: { ...options.env, KWTEST_DIE_AT: String(this.#dieAt) } };
  }
}

/** Step numbers to die at: evenly over all of them, every one with KUBEWRIGHT_REPEAT=all. */
export function deaths(steps: number, count: number): number[] {
  if (process.env['KUBEWRIGHT_REPEAT'] === 'all') return Array.from({ length: steps }, (_, index) => index + 1);
  const points = Array.from({ length: count }, (_, index) => 1 + Math.round((index * (steps - 1)) / (count - 1)));
  return [...new Set(points)];
}
