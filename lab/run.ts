import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { KubewrightError } from '../contracts/errors.ts';

/** What a finished command left. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Milliseconds; 60,000 unless given. */
  timeoutMs?: number;
  /** Called for every line on stderr while the command runs. */
  onStderrLine?: (line: string) => void;
}

/** Runs a command of this machine to its end, whatever its exit code. Throws LAB_FAILED when it cannot start or hangs. */
export function tryRun(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [command = '', ...args] = argv;
  const timeout = options.timeoutMs ?? 60_000;
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      {
        env: options.env ?? process.env,
        cwd: options.cwd,
        timeout,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else {
          const why = error.killed === true ? `did not end within ${timeout} ms` : error.message;
          reject(
            new KubewrightError('LAB_FAILED', `${argv.join(' ')}: ${why}`, { cause: error, evidence: tail(stderr) }),
          );
        }
      },
    );
    // A command that ends before it read its input is judged by its exit code, not by the broken pipe.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
    const { onStderrLine } = options;
    if (onStderrLine && child.stderr) createInterface({ input: child.stderr }).on('line', onStderrLine);
  });
}

/** Like `tryRun`, but a non-zero exit code throws LAB_FAILED with the last lines of its output. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ran = await tryRun(argv, options);
  if (ran.code !== 0) {
    throw new KubewrightError('LAB_FAILED', `${argv.join(' ')} failed with exit code ${ran.code}`, {
      evidence: tail(ran.stderr || ran.stdout),
    });
  }
  return ran;
}

/** The last lines of an output. */
export function tail(text: string, lines = 20): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
