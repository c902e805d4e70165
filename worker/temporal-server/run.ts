import { spawn } from 'node:child_process';

/** Lines kept of a failing program, as evidence. */
const TAIL_LINES = 20;

export interface RunOptions {
  timeoutMs: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Called every ten seconds with the seconds since the start. */
  onWait?(seconds: number): void;
  /** Ends the program early. */
  signal?: AbortSignal;
}

/** Run a local program to its end. Throws with the end of its output when it fails or takes too long. */
export function run(argv: readonly string[], options: RunOptions): Promise<{ stdout: string }> {
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error('nothing to run');
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const started = Date.now();
    const ticker = setInterval(() => options.onWait?.(Math.round((Date.now() - started) / 1000)), 10_000);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-65_536);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-65_536);
    });
    child.once('error', (error) => {
      clearInterval(ticker);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearInterval(ticker);
      if (code === 0) return resolve({ stdout });
      const tail = (stderr || stdout).trim().split('\n').slice(-TAIL_LINES).join('\n');
      reject(new Error(`${program} ended with ${signal ?? code}${tail ? `:\n${tail}` : ''}`));
    });
  });
}
