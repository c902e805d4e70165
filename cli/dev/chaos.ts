import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Command } from 'commander';
import { checkoutRoot } from './paths.ts';

/** Four in each of ten builds; test:e2e strikes at 12 in three (test/e2e/chaos/settings.ts). */
const POINTS = 40;

/**
 * `npm run test:chaos`: faults at command boundaries of real builds (test/e2e/chaos). The options reach the tests as
 * environment; without a seed each run draws its own and prints it.
 */
const program = new Command('test:chaos')
  .description('Faults at command boundaries of real builds on lab hosts')
  .option('--seed <n>', 'repeat a run: its points follow from the seed')
  .option('--points <n>', 'how many points are drawn; a failed run of test:e2e says its number', String(POINTS))
  .option('--pairs <n>', 'how many of them are two faults at once (default: one in five)')
  .option('--case <n>', 'only the builds of these cases, as 7 or 5-12')
  .option('--walk', 'strike at every command boundary: hours; goes on where it was with --seed and --case')
  .parse();
const {
  seed,
  points,
  pairs,
  case: cases,
  walk,
} = program.opts<{
  seed?: string;
  points: string;
  pairs?: string;
  case?: string;
  walk?: true;
}>();

const child = spawn(process.execPath, [join(checkoutRoot, 'cli/dev/test.ts'), 'e2e', 'test/e2e/chaos'], {
  cwd: checkoutRoot,
  stdio: 'inherit',
  env: {
    ...process.env,
    ...(seed === undefined ? {} : { KUBEWRIGHT_CHAOS_SEED: seed }),
    KUBEWRIGHT_CHAOS_POINTS: points,
    ...(pairs === undefined ? {} : { KUBEWRIGHT_CHAOS_PAIRS: pairs }),
    ...(cases === undefined ? {} : { KUBEWRIGHT_CHAOS_CASE: cases }),
    ...(walk ? { KUBEWRIGHT_CHAOS_WALK: '1' } : {}),
  },
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
