import { readFileSync, rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../../cli/dev/api-client.ts';
import { checkoutRoot, demoRootOf } from '../../cli/dev/paths.ts';
import type { OperationStatus } from '../../contracts/operation.ts';
import { run } from '../e2e/support.ts';
import { LANDED, landedCheckout, landedMissing } from './upgrade/landed.ts';

/**
 * What a build by this version changes on a cluster that the landed version built: `phase resource`, once for all hosts.
 * A change of it belongs into CHANGELOG too: it says what restarts.
 */
const LISTED: readonly string[] = [];

const env = { ...process.env, KUBEWRIGHT_DEMO_NAME: 'kwup' };
const folder = demoRootOf('kwup');
const landed = `${folder}-landed`;

/** `npm run demo` of a checkout: makes hosts and services or takes up those that are there, and builds. */
async function demo(
  checkout: string,
  ...args: string[]
): Promise<{ operation: string; api: string; tokenFile: string }> {
  const { stdout } = await run('npm', ['run', '--silent', 'demo', '--', ...args], {
    cwd: checkout,
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  return args.includes('--down') ? null! : JSON.parse(stdout.trim().split('\n').at(-1)!);
}

type Built = OperationStatus & { changes: { phase: string; host: string; changes: { resource: string }[] }[] };
async function built(checkout: string): Promise<{ status: Built; api: ApiClient }> {
  const { api: url, tokenFile, operation } = await demo(checkout, '--exit', '--json');
  const api = new ApiClient(url, readFileSync(tokenFile, 'utf8').trim());
  return { api, status: await api.request<Built>('GET', `/clusters/kwup/operations/${operation}?changes=true`) };
}
const changesOf = ({ changes }: Built): string[] =>
  [...new Set(changes.flatMap((task) => task.changes.map(({ resource }) => `${task.phase} ${resource}`)))].sort();

const missing = await landedMissing();
if (missing !== null) process.stderr.write(`upgrade in place is not tested: ${missing}\n`);

describe.skipIf(missing !== null)(`a cluster that ${LANDED.slice(0, 7)} built`, () => {
  afterAll(async () => {
    await demo(checkoutRoot, '--down');
    rmSync(landed, { recursive: true, force: true });
  });

  it('is taken up in place: the first build changes what CHANGELOG lists, the second nothing', async () => {
    await demo(checkoutRoot, '--down');
    await landedCheckout(landed);
    const before = await built(landed);
    expect(before.status.state).toBe('succeeded');

    const upgraded = await built(checkoutRoot);
    expect(changesOf(upgraded.status)).toEqual([...LISTED].sort());
    expect(upgraded.status).toMatchObject({ state: 'succeeded', health: { state: 'healthy' } });
    const operations = await upgraded.api.request<{ items: { operationId: string }[] }>(
      'GET',
      '/clusters/kwup/operations',
    );
    expect(operations.items.map(({ operationId }) => operationId)).toContain(before.status.operationId);

    const again = await built(checkoutRoot);
    expect(changesOf(again.status)).toEqual([]);
    expect(again.status).toMatchObject({ state: 'succeeded', health: { state: 'healthy' } });
    expect(again.status.tasks.filter(({ restarts = 0 }) => restarts > 0)).toEqual([]);
  });
});
