import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import { ANSWERS } from '../../support/answers.ts';

const support = (name: string) => JSON.stringify(join(checkoutRoot, 'test/support', name));

it('a test fails when its service wrote a difference, and the run when any service did', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-answers-run-'));
  try {
    symlinkSync(join(checkoutRoot, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(
      join(folder, 'vitest.config.ts'),
      `import { checkAnswersOfRun } from ${support('answers.ts')};
       checkAnswersOfRun();
       export default { test: { globalSetup: [${support('answers-global-setup.ts')}], setupFiles: [${support('answers-setup.ts')}] } };`,
    );
    const head = `import { appendFileSync } from 'node:fs'; import { dirname, join } from 'node:path'; import { it } from 'vitest';
      const file = process.env.${ANSWERS};`;
    writeFileSync(
      join(folder, 'own.test.ts'),
      `${head} it('ignores an answer', () => appendFileSync(file, 'GET /own differs\\n')); it('asks nothing', () => undefined);`,
    );
    writeFileSync(
      join(folder, 'shared.test.ts'),
      `${head} it('asks the service of the run', () => appendFileSync(join(dirname(file), 'run.log'), 'GET /shared differs\\n'));`,
    );
    const { [ANSWERS]: _outer, ...env } = process.env;
    const argv = [join(checkoutRoot, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder];
    const run = await promisify(execFile)(process.execPath, argv, { env: { ...env, NO_COLOR: '1' } }).then(
      ({ stdout }) => ({ code: 0, said: stdout }),
      (error: { code: number; stdout: string; stderr: string }) => ({
        code: error.code,
        said: error.stdout + error.stderr,
      }),
    );
    expect(run.code).toBe(1);
    expect(run.said).toMatch(/FAIL +own\.test\.ts > ignores an answer/);
    expect(run.said).toContain('1 failed | 2 passed');
    expect(run.said).toContain('own.test.ts.log: GET /own differs');
    expect(run.said).toContain('run.log: GET /shared differs');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
