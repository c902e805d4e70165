import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { containerRuntime } from '../../../activities/phases/capabilities/container-runtime.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import { loadPhases, scanPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import { sampleCluster } from '../../golden/golden.ts';

const CAPABILITIES = ['container-runtime', 'control-plane-endpoint', 'pod-network'];

/** Folders for the new files, and nothing else. */
function emptyCheckout(): string {
  const root = mkdtempSync(join(checkoutRoot, 'node_modules/.new-phase-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'activities/phases'), { recursive: true });
  mkdirSync(join(root, 'test/golden'), { recursive: true });
  return root;
}
const newPhase = (into: string, ...args: string[]) =>
  spawnSync(process.execPath, ['cli/dev/new-phase.ts', ...args, '--into', into], {
    cwd: checkoutRoot,
    encoding: 'utf8',
  });

test('a new provider of each capability compiles, and its offer has the right shape', async () => {
  const root = emptyCheckout();
  for (const capability of CAPABILITIES)
    expect(newPhase(root, `toy-${capability}`, '--provides', capability)).toMatchObject({ status: 0 });
  expect(newPhase(root, 'plain')).toMatchObject({ status: 0 });
  const files = [...CAPABILITIES.map((each) => `toy-${each}`), 'plain'].map((name) => `activities/phases/${name}.ts`);
  // Their imports lead into this checkout.
  for (const path of files.map((file) => join(root, file))) {
    const text = readFileSync(path, 'utf8').replaceAll(`'../`, `'${checkoutRoot}/activities/`);
    writeFileSync(path, text.replaceAll(`'./`, `'${checkoutRoot}/activities/phases/`));
  }
  writeFileSync(
    join(root, 'tsconfig.json'),
    JSON.stringify({ extends: join(checkoutRoot, 'tsconfig.json'), files, include: [] }),
  );
  const tsc = join(checkoutRoot, 'node_modules/typescript/bin/tsc');
  const compiled = spawnSync(process.execPath, [tsc, '--noEmit', '-p', root], { encoding: 'utf8' });
  expect(compiled.stdout).toBe('');
  expect(compiled.status).toBe(0);

  const made = await scanPhases(pathToFileURL(`${join(root, 'activities/phases')}/`));
  expect(made.map(({ name }) => name).sort()).toEqual([...CAPABILITIES.map((each) => `toy-${each}`), 'plain'].sort());
  const phases = sortPhases([...(await loadPhases()), ...made]);
  const cluster = sampleCluster({ phases: { runtime: { enabled: false }, 'toy-container-runtime': {} } });
  expect(offerOf({ cluster, phases }, containerRuntime)).toMatchObject({ unit: 'example.service' });
});

test('an unknown capability, a wrong name and a phase that is there are refused', () => {
  const root = emptyCheckout();
  expect(newPhase(root, 'x', '--provides', 'lamp')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      'lamp is no capability: container-runtime, control-plane-endpoint, control-plane, kubernetes-store, node-agent, pod-network',
    ),
  });
  expect(newPhase(root, 'Not A Name').status).toBe(1);
  expect(newPhase(root, 'twice').status).toBe(0);
  expect(newPhase(root, 'twice').stderr).toContain('is there already');
});
