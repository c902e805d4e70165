import { expect, it } from 'vitest';
import { z } from 'zod';
import type { RemoteHost } from '../../../activities/host/types.ts';
import { cleanUpHost } from '../../../activities/phases/cleanup/host.ts';
import { definePhase, type Phase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { tearDownHost } from '../../../activities/phases/teardown/host.ts';
import type { FilledResource } from '../../../activities/resources/filled.ts';
import { phaseRun } from '../../../activities/tasks/phase-run.ts';
import { sampleContext } from '../../golden/golden.ts';

/**
 * A phase whose programs run as pods places nothing on a node: prepare installs its packages, and notes what its pods fill. What
 * they made beside, such as links, is taken away all the same.
 */

const torn: string[] = [];
const byPods = (name: string): Phase =>
  definePhase({
    name,
    title: name,
    hosts: 'all',
    optional: 'when-named',
    needs: [],
    timeouts: { applyMs: 1, verifyMs: 1 },
    expectedMs: 1,
    options: z.strictObject({}),
    resources: () => [],
    hooks: { teardown: () => Promise.resolve([void torn.push(name)]).then(() => []) },
  });

/** A host with this ledger, on which every command does what it should. */
const hostWith = (ledger: string): RemoteHost => ({
  name: 'worker-1',
  exec: () => Promise.resolve({ code: 1, stdout: '', stderr: '', durationMs: 0, truncated: false }),
  script: (text) => {
    const nonce = /kw-[0-9a-f]{24}/.exec(text)?.[0];
    const stdout = nonce === undefined ? `complete\n${ledger}` : `${nonce} end\n`;
    return Promise.resolve({ code: 0, stdout, stderr: '', durationMs: 0, truncated: false });
  },
  upload: () => Promise.reject(new Error('not used')),
});

const LEDGER = 'filled:pods-of-net\tprepare\t{}\nleftover:/var/lib/net\tprepare\t{"there":[]}\n';

it.each([
  ['a teardown', tearDownHost],
  ['a build of a spec without the phase', cleanUpHost],
])('%s runs the phase that the ledger has nothing of but what its pods fill', async (_what, work) => {
  torn.length = 0;
  const phases = new Map(['pods-of-net', 'absent'].map((name) => [name, byPods(name)]));
  const context = await sampleContext(byPods('pods-of-net'));
  const { signal } = new AbortController();
  const remote = hostWith(LEDGER);
  await work(
    phaseRun({ ...context, phases, mode: 'apply' }, { phase: 'x', remote, changes: [], verified: false, signal }),
  );
  expect(torn).toEqual(['pods-of-net']);
});

it('what pods and daemons fill is noted by the name of their phase', async () => {
  const prepare = (await loadPhases()).find(({ name }) => name === 'prepare')!;
  const noted = async (name: string) => {
    const resources = await prepare.resources!(await sampleContext(prepare, { phases: { [name]: {} } }));
    return (resources as FilledResource[]).filter(({ kind }) => kind === 'filled').map(({ id }) => id);
  };
  expect(await noted('calico')).toEqual(['calico']);
  expect(await noted('openvswitch')).toEqual(['openvswitch']);
});
