import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Cluster, withCluster } from './chaos/cluster.ts';
import { judged } from './chaos/run.ts';
import { PROCESSES } from './chaos/services.ts';
import { WatchedBuild } from './chaos/watched-build.ts';
import { figure, seconds } from './figures.ts';

const command = (at: Cluster, name: 'pause' | 'resume', body: object): Promise<unknown> =>
  at.services.api.request('POST', `/clusters/${at.lab.name}/${name}`, body);

/** Where builds are paused for the figures: long commands of each sort. */
const PLACES = [
  { phase: 'prepare', host: 'cp-1', seq: 3, mode: 'drain', what: 'apt' },
  { phase: 'binaries', host: 'worker-1', seq: 3, mode: 'interrupt', what: 'downloads' },
  { phase: 'runtime', host: 'worker-1', seq: 3, mode: 'drain', what: 'downloads' },
  { phase: 'registry', host: 'cp-1', seq: 5, mode: 'interrupt', what: 'image push' },
  { phase: 'master', host: 'cp-1', seq: 2, mode: 'drain', what: 'units that start' },
  { phase: 'nodes', host: 'worker-1', seq: 2, mode: 'interrupt', what: 'units that start' },
  { phase: 'metrics', host: 'cp-1', seq: 5, mode: 'drain', what: 'wait for metrics' },
  { phase: 'verify', host: 'cp-1', seq: 4, mode: 'interrupt', what: 'smoke test' },
] as const;

/** Every timeout of the system, shortened: none of them may end a pause. */
const SHORT = { heartbeatMs: 6_000, taskMs: 60_000, sshIdleMs: 2_000 };
/** Longer than each of them, and than the control activities' half minute. */
const PAUSED_MS = 75_000;
const env = {
  KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS: String(SHORT.heartbeatMs),
  KUBEWRIGHT_TASK_TIMEOUT_MS: String(SHORT.taskMs),
  KUBEWRIGHT_SSH_IDLE_MS: String(SHORT.sshIdleMs),
};

describe('pause', () => {
  it('drain waits for running commands, interrupt cancels them, and either build is finished after resume', async () => {
    await withCluster({ name: 'kwxp', hosts: 2 }, async (at) => {
      const build = await WatchedBuild.start(at);
      for (const { mode, what, ...place } of PLACES) {
        await build.untilReached({ ...place, side: 'begin' });
        const askedAt = Date.now();
        await command(at, 'pause', { mode, reason: `while ${place.phase} runs` });
        // Commands that began while the request was on its way run as well.
        const answeredAt = Date.now();
        const paused = await build.until(({ state }) => state === 'paused');
        const tookMs = Date.now() - askedAt;
        // The build may just have ended under the request.
        if (paused.state !== 'paused') break;
        expect(paused.pause).toMatchObject({ by: 'admin', mode, reason: `while ${place.phase} runs` });
        expect(at.journal.running(build.operation)).toEqual([]);
        const longestMs = Math.max(
          0,
          ...at.journal.endsOfRunningAt(build.operation, answeredAt).map((end) => end - askedAt),
        );
        figure('pause', {
          mode,
          while: `${what} (${place.phase} on ${place.host})`,
          'request to paused': seconds(tookMs),
          'longest running command ended after': seconds(longestMs),
        });
        await command(at, 'resume', {});
      }
      const status = await build.ended();
      expect(await judged(at, { operation: build.operation, status, struck: [], decided: [] })).toEqual([]);
    });
  });

  it('outlives every timeout and two restarts of every process', async () => {
    await withCluster({ name: 'kwxp', hosts: 2, env }, async (at) => {
      const { services, journal, lab } = at;
      const build = await WatchedBuild.start(at);
      await build.untilReached({ phase: 'etcd', host: 'cp-1', seq: 2, side: 'begin' });
      await command(at, 'pause', { mode: 'drain', reason: 'until Monday' });
      const paused = await build.until(({ state }) => state === 'paused');
      expect(paused).toMatchObject({ state: 'paused', pause: { by: 'admin', mode: 'drain', reason: 'until Monday' } });
      const pausedAt = Date.now();

      // Once by a crash, once politely.
      await Promise.all(PROCESSES.map((name) => services.down(name)));
      await services.up('temporal');
      await Promise.all([services.up('api'), services.up('worker')]);
      await sleep(PAUSED_MS / 2);
      await services.restart();
      await sleep(Math.max(0, pausedAt + PAUSED_MS - Date.now()));

      expect(await services.api.operation(lab.name, build.operation)).toMatchObject({
        state: 'paused',
        pause: paused.pause,
        tasks: paused.tasks,
      });
      expect(await services.api.commands(lab.name, { operation: build.operation })).not.toEqual([]);
      expect(journal.firstAfter(build.operation, pausedAt)).toBeNull();

      await command(at, 'resume', {});
      const status = await build.ended();
      expect(await judged(at, { operation: build.operation, status, struck: [], decided: [] })).toEqual([]);
    });
  });
});
