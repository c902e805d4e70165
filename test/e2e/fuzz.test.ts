import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** The same requests every time; `npm run test:fuzz` goes on to others. */
it('no route fails on generated requests of any role', async () => {
  const argv = [join(root, 'cli/dev/fuzz.ts'), '--seconds', '60', '--seed', '1'];
  const fuzz = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [fuzz.stdout, fuzz.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-20_000);
    });
  }
  const [code] = (await once(fuzz, 'close')) as [number | null];
  expect(code, said).toBe(0);
  expect(said).toContain('nothing found');
}, 900_000);
