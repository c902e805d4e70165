import { expect, test } from 'vitest';
import type { OpenvswitchOptions } from '../../../activities/phases/openvswitch/options.ts';
import { options } from '../../../activities/phases/openvswitch/options.ts';
import openvswitch from '../../../activities/phases/openvswitch/phase.ts';
import { verifyMesh } from '../../../activities/phases/openvswitch/verify.ts';
import type { PhaseRun } from '../../../activities/phases/phase.ts';
import { sampleContext } from '../../golden/golden.ts';

/** The task of cp-1, whose program says `stdout`; `found`: what other hosts found earlier. */
async function verify(result: { code: number; stdout: string }, found: Record<string, string>, chosen: object = {}) {
  const context = await sampleContext(openvswitch, { phases: { openvswitch: {} }, host: 'cp-1' });
  const state = new Map(Object.entries(found).map(([host, text]) => [`openvswitch/datapath/${host}`, text]));
  const run = {
    ...context,
    options: options.parse(chosen),
    remote: { script: async () => ({ ...result, stderr: 'tunnel worker-1 failed' }) },
    clusterState: { list: async () => state, set: async (key: string, text: string) => state.set(key, text) },
    unitJournal: async () => 'the journal',
    fail: (code: string, message: string, evidence: string) => {
      throw new Error(`${code} ${message}\n${evidence}`);
    },
  } as unknown as PhaseRun<OpenvswitchOptions>;
  await verifyMesh(run);
  return state;
}

test('nodes whose `auto` came to different datapaths are refused by name; hosts that left do not count', async () => {
  await expect(
    verify({ code: 0, stdout: 'datapath userspace\ntunnel worker-1 up\n' }, { 'worker-1': 'kernel', gone: 'kernel' }),
  ).rejects.toThrow(
    /^DATAPATHS_DIFFER cp-1 has the userspace datapath of Open vSwitch, and worker-1 another one.*\ncp-1: userspace\nworker-1: kernel$/,
  );
  const state = await verify({ code: 0, stdout: 'datapath userspace\n' }, { 'worker-1': 'userspace', gone: 'kernel' });
  expect(state.get('openvswitch/datapath/cp-1')).toBe('userspace');
});

test('a datapath that the spec gives is compared with none', async () => {
  const given = { datapath: 'userspace' };
  const state = await verify({ code: 0, stdout: 'datapath userspace\n' }, { 'worker-1': 'kernel' }, given);
  expect(state.has('openvswitch/datapath/cp-1')).toBe(false);
});

test('a tunnel that does not come up fails the task, with the journal', async () => {
  await expect(verify({ code: 1, stdout: '' }, {})).rejects.toThrow(
    /^VERIFY_FAILED Open vSwitch gives pods on cp-1 no network\ntunnel worker-1 failed\nthe journal$/,
  );
});
