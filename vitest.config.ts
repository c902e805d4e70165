import { defineConfig } from 'vitest/config';
import { checkAnswersOfRun } from './test/support/answers.ts';
import { LongestFirst } from './test/support/longest-first.ts';

checkAnswersOfRun();

/**
 * Runs of tests that talk to real servers and hosts, beside whatever else the machine does: CI asks a failed one once
 * more, and the reporter names it as retried. By hand, and in the unit tier, the first answer counts.
 */
const retry = process.env['CI'] === 'true' ? 1 : 0;

/** Files of the e2e tier that run side by side: each waits more than it computes. One for measurements. */
const e2eWorkers = Number(process.env['KUBEWRIGHT_E2E_WORKERS'] ?? 2);

/** Hosts as people have them: what is wrong with one is named by preflight, or a build goes through on it. */
const FIELD = ['test/e2e/field/!(*.long).test.ts'];
/** Those of them that build a whole cluster: minutes each, and not in CI. */
const FIELD_LONG = ['test/e2e/field/*.long.test.ts'];

/** One lab and one service for all of its files, one after the other. */
const field = (name: string, include: string[]) => ({
  extends: true as const,
  test: {
    name,
    include,
    globalSetup: ['test/support/field-global-setup.ts'],
    retry,
    testTimeout: 600_000,
    hookTimeout: 900_000,
    fileParallelism: false,
  },
});

const KILLED_AT_EVERY_COMMAND = ['test/integration/repeat*.test.ts'];

/** One project per tier. `unit` needs nothing but Node; the others need what `npm test` installs. */
export default defineConfig({
  test: {
    // The Temporal core is a native module: worker threads run it out of wasm memory.
    pool: 'forks',
    globalSetup: ['test/support/answers-global-setup.ts'],
    setupFiles: ['test/support/answers-setup.ts'],
    // Bounds on a hang, not on speed: the machine may be busy with anything.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/golden/**/*.test.ts', 'test/architecture/**/*.test.ts'],
          // No file keeps state in a module: one process for all of them halves the time of the tier.
          isolate: false,
          // More than cores: many of them wait for processes and timers of their own.
          maxWorkers: 3,
          // Property tests of some hundred cases: seconds on a machine that does other things as well.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'workflow',
          include: ['test/workflow/**/*.test.ts', 'test/replay/**/*.test.ts'],
          globalSetup: ['test/support/temporal-global-setup.ts'],
          retry,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: KILLED_AT_EVERY_COMMAND,
          globalSetup: ['test/support/lab-global-setup.ts'],
          retry,
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          // Minutes long: runs with e2e, on the bare hosts of the integration tier.
          name: 'repeat',
          include: KILLED_AT_EVERY_COMMAND,
          globalSetup: ['test/support/lab-global-setup.ts'],
          retry,
          testTimeout: 600_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          // What outsiders tried, against services that the files start themselves: service, Temporal, PostgreSQL, sshd.
          name: 'attack',
          include: ['test/attack/**/*.test.ts'],
          globalSetup: ['test/support/temporal-global-setup.ts', 'test/support/lab-global-setup.ts'],
          retry,
          testTimeout: 180_000,
          hookTimeout: 300_000,
          // Mostly waiting: each file starts a service of its own, on a port and a data directory of its own.
          maxWorkers: e2eWorkers,
        },
      },
      {
        extends: true,
        test: {
          // What production runs: the files of the image, PostgreSQL, Temporal's server on it, a cluster on lab hosts.
          name: 'image',
          include: ['test/image/**/*.test.ts'],
          globalSetup: ['test/support/artifacts-global-setup.ts'],
          retry,
          testTimeout: 600_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          // Docker and its registry of images inside a lab host: minutes, and not in CI.
          name: 'compose',
          include: ['test/compose/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 2_400_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          // Long cases on real clusters, by name: npm run matrix -- --case NAME. Not in CI.
          name: 'matrix',
          include: ['test/matrix/**/*.test.ts'],
          globalSetup: ['test/support/artifacts-global-setup.ts'],
          testTimeout: 900_000,
          hookTimeout: 2_400_000,
          fileParallelism: false,
        },
      },
      field('field', FIELD),
      field('field-long', FIELD_LONG),
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [...FIELD, ...FIELD_LONG],
          globalSetup: ['test/support/artifacts-global-setup.ts'],
          retry,
          testTimeout: 900_000,
          hookTimeout: 2_400_000,
          // Each file has a lab of its own name (test/architecture/lab-names.test.ts) and a service of its own port.
          maxWorkers: e2eWorkers,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
