import { access } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubewrightError } from '../../../contracts/errors.ts';
import { tail, tryRun } from '../../run.ts';
import { SourceUnavailable } from '../types.ts';

/** The machine's Go and how it is called. */
export interface GoToolchain {
  readonly command: string;
  /** Such as go1.26.8. */
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Kubernetes 1.36 asks for this; an older Go fetches a newer toolchain through its own module download. */
const WANTED = [1, 26, 4] as const;
/** Above this much memory the compiler may collect its garbage four times less often: a fifth less CPU time (measured). */
const RELAXED_GC_BYTES = 6 * 1024 ** 3;

/** Finds Go. Throws SourceUnavailable when the machine has none. `cacheDir` holds the shared build cache. */
export async function findGo(options: { cacheDir: string; arch: string; tmpDir: string }): Promise<GoToolchain> {
  const { cacheDir, arch, tmpDir } = options;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin', '/usr/lib/go/bin'];
  for (const folder of folders.filter((name) => name !== '')) {
    const command = join(folder, 'go');
    if (
      !(await access(command).then(
        () => true,
        () => false,
      ))
    )
      continue;
    const base: NodeJS.ProcessEnv = { ...process.env, GOTOOLCHAIN: 'local' };
    const { code, stdout } = await tryRun([command, 'env', 'GOVERSION'], { env: base, cwd: '/' });
    if (code !== 0) continue;
    const version = stdout.trim();
    const numbers = version.replace(/^go/, '').split('.').map(Number);
    return {
      command,
      version,
      env: {
        ...base,
        GOTOOLCHAIN: isOlder(numbers, WANTED) ? 'auto' : 'local',
        GOARCH: arch,
        GOOS: 'linux',
        GOFLAGS: '-mod=mod',
        GOWORK: 'off',
        GOTMPDIR: tmpDir,
        GOCACHE: join(cacheDir, 'go-build-cache'),
        CGO_ENABLED: '0',
        ...(totalmem() > RELAXED_GC_BYTES ? { GOGC: '400' } : {}),
      },
    };
  }
  throw new SourceUnavailable(
    'this machine has no Go: install Go 1.26 or newer, or open the way to the official releases',
  );
}

/** Runs go; stderr lines go to `onLine`. Throws LAB_FAILED with the last lines. */
export async function go(
  toolchain: GoToolchain,
  args: readonly string[],
  options: { cwd: string; cgo?: boolean; onLine?: (line: string) => void },
): Promise<string> {
  // A build must not outlive a killed run: the next one uses the same folders.
  const ran = await tryRun(['setpriv', '--pdeathsig', 'KILL', toolchain.command, ...args], {
    cwd: options.cwd,
    env: { ...toolchain.env, CGO_ENABLED: options.cgo ? '1' : '0' },
    // Kubernetes takes five minutes on two free cores; a loaded laptop may need much more.
    timeoutMs: 3_600_000,
    ...(options.onLine ? { onStderrLine: options.onLine } : {}),
  });
  if (ran.code !== 0) {
    throw new KubewrightError('LAB_FAILED', `go ${args[0]} failed with exit code ${ran.code} in ${options.cwd}`, {
      evidence: tail(ran.stderr),
    });
  }
  return ran.stdout;
}

function isOlder(have: readonly number[], want: readonly number[]): boolean {
  for (const [index, wanted] of want.entries()) {
    const value = have[index] ?? 0;
    if (value !== wanted) return value < wanted;
  }
  return false;
}
