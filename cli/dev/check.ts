import { spawn } from 'node:child_process';
import { checkoutRoot } from './paths.ts';

/**
 * `npm run check`: format, lint, unused code, types and unit tests, side by side: the unit tests take longest and use one core,
 * the others the second one meanwhile. What each says comes in one piece when it has ended. Exits with 1 when any of them fails.
 */
const PARTS = ['check:format', 'check:lint', 'check:unused', 'check:types', 'test:unit'];

/** Runs a script of package.json; its exit code and what it printed. */
function run(script: string): Promise<{ script: string; code: number; output: Buffer; ms: number }> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', '--silent', script], { cwd: checkoutRoot, stdio: ['ignore', 'pipe', 'pipe'] });
    const parts: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ script, code: code ?? 1, output: Buffer.concat(parts), ms: performance.now() - started }),
    );
  });
}

const failed: string[] = [];
await Promise.all(
  PARTS.map(async (part) => {
    const { script, code, output, ms } = await run(part);
    process.stdout.write(`\n> ${script}: ${code === 0 ? 'ok' : 'FAILED'} after ${(ms / 1000).toFixed(1)} s\n`);
    process.stdout.write(output);
    if (code !== 0) failed.push(script);
  }),
);
if (failed.length > 0) process.stdout.write(`\nfailed: ${failed.join(', ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
