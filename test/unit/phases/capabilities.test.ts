import { expect, test } from 'vitest';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { sampleCluster } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';
import { toyNetwork } from '../../support/toy-phase.ts';

const real = await loadPhases();
const input = {
  ...{ cluster: 'sample', operationId: 'op', kind: 'build', mode: 'apply', specRef: '0'.repeat(64), requestId: 'r' },
  actor: { name: 'ann', role: 'operator' },
} as Parameters<typeof makePlan>[0];

/** A pod network as one new folder, which no file of ours knows, beside our own phases. */
const withToyNetwork = async (...needs: [string?]): Promise<Phase[]> =>
  sortPhases([...real, ...(await toyNetwork(...needs))]);

test('the plan has names of phases in its needs', () => {
  const plan = makePlan(input, sampleCluster(), real);
  const needs = (name: string) => plan.phases.find((phase) => phase.name === name)!.needs;
  expect(needs('verify')).toContainEqual({ phase: 'flannel', on: 'every-host' });
  expect(needs('nodes')).toEqual(
    expect.arrayContaining([
      { phase: 'runtime', on: 'same-host' },
      { phase: 'master', on: 'any-host' },
    ]),
  );
  const names = new Set(real.map(({ name }) => name));
  for (const phase of plan.phases) for (const need of phase.needs) expect(names).toContain(need.phase);
});

test('another pod network is one folder: not there unless it is named, in place of flannel when it is', async () => {
  const phases = await withToyNetwork();
  const planned = (chosen: Record<string, Record<string, unknown>>) =>
    makePlan(input, sampleCluster({ phases: chosen }), phases).phases;
  expect(planned({}).map(({ name }) => name)).not.toContain('toynet');
  const chosen = { toynet: { mtu: 1400 } };
  expect(phaseValidator(phases)(sampleCluster({ phases: chosen }))).toEqual([]);
  const names = planned(chosen).map(({ name }) => name);
  expect(names).toContain('toynet');
  expect(names).not.toContain('flannel');
  const { needs } = planned(chosen).find(({ name }) => name === 'verify')!;
  expect(needs).toContainEqual({ phase: 'toynet', on: 'every-host' });
  expect(needs.map(({ phase }) => phase)).not.toContain('flannel');
  const wrong = phaseValidator(phases)(sampleCluster({ phases: { ...chosen, toynet: { mtu: 1 } } }));
  expect(wrong).toEqual([expect.objectContaining({ path: 'spec.phases.toynet.mtu' })]);
});

test('two pod networks, or none, are refused by name', async () => {
  const validate = phaseValidator(await withToyNetwork());
  expect(validate(sampleCluster({ phases: { flannel: {}, toynet: {} } }))).toEqual([
    {
      path: 'spec.phases.toynet',
      message: expect.stringMatching(/flannel and toynet each provide pod-network/),
    },
  ]);
  // The default yields to one that is named and on, in whichever order.
  for (const phases of [{ toynet: {} }, { toynet: {}, flannel: { enabled: false } }, { toynet: { enabled: false } }])
    expect(validate(sampleCluster({ phases }))).toEqual([]);
  expect(validate(sampleCluster({ phases: { flannel: { enabled: false } } }))).toEqual([
    { path: 'spec.phases.flannel', message: expect.stringMatching(/no phase provides pod-network.*flannel, .*toynet/) },
  ]);
});

test('a provider is chosen for the cluster, not for one host', () => {
  const spec = sampleCluster();
  spec.spec.hosts[0]!.phases = { runtime: { enabled: false } };
  expect(phaseValidator(real)(spec)).toEqual([
    { path: 'spec.hosts[0].phases.runtime.enabled', message: expect.stringContaining('spec.phases.runtime.enabled') },
  ]);
});

test('a capability without a provider, and a cycle over a capability, are refused by name', async () => {
  await expect(withToyNetwork(`, { phase: 'quantum-link', on: 'same-host' }`)).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining('phase toynet needs quantum-link'),
  });
  await expect(withToyNetwork(`, { phase: 'verify', on: 'every-host' }`)).rejects.toThrow(
    /in a circle:.*toynet.*verify/,
  );
});

test('options of a default provider are those of the version before, so that a verified host is not verified again', () => {
  for (const name of ['flannel', 'runtime']) {
    const phase = real.find((each) => each.name === name)!;
    expect(phase.options.parse({})).not.toHaveProperty('enabled');
  }
});
