import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const logger = new URL('../../../worker/logger.ts', import.meta.url).href;

/** `/dev/full` answers every write with ENOSPC (full(4)). */
it('a log on a full disk does not end the process', () => {
  const script = `
    import { createLogger } from ${JSON.stringify(logger)};
    const log = createLogger({ level: 'info' });
    for (let n = 0; n < 20_000; n++) log.info({ n, filler: 'x'.repeat(100) }, 'line');
    await new Promise((resolve) => setTimeout(resolve, 20));
    log.info('last');
    process.exitCode = 42;
  `;
  const full = openSync('/dev/full', 'w');
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', full, 'pipe'] });
  closeSync(full);
  expect(run.stderr.toString()).toBe('');
  expect(run.status).toBe(42);
});

it('lines are written in order where there is space', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-log-'));
  const file = openSync(join(folder, 'log'), 'w');
  const script = `
    import { createLogger } from ${JSON.stringify(logger)};
    const log = createLogger({ level: 'info' });
    for (let n = 0; n < 100; n++) log.info({ n }, 'line');
  `;
  spawnSync(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', file, 'inherit'] });
  closeSync(file);
  const lines = readFileSync(join(folder, 'log'), 'utf8').trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { n: number }).n)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  rmSync(folder, { recursive: true });
});
