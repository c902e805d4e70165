import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { checkoutRoot } from './paths.ts';

const SUFFIX = '.test.ts';
const cases = readdirSync(join(checkoutRoot, 'test/matrix'))
  .filter((name) => name.endsWith(SUFFIX))
  .map((name) => name.slice(0, -SUFFIX.length))
  .sort();

/** `npm run matrix`: long cases on real clusters, which CI leaves out; each is a file of test/matrix. */
const program = new Command('matrix')
  .description('Long cases on real clusters of lab hosts; without --case all of them')
  .addOption(new Option('--case <name>', 'only this case').choices(cases))
  .parse();
const { case: chosen } = program.opts<{ case?: string }>();

const files = (chosen === undefined ? cases : [chosen]).map((name) => `test/matrix/${name}${SUFFIX}`);
const child = spawn(process.execPath, [join(checkoutRoot, 'cli/dev/test.ts'), 'matrix', ...files], {
  cwd: checkoutRoot,
  stdio: 'inherit',
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
