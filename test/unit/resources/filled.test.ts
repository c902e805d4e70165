import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { undo } from '../../../activities/resources/engine/undo.ts';
import { filled } from '../../../activities/resources/filled.ts';
import { readLedger } from '../../../activities/resources/ledger.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());

const place = () => {
  const resources = [filled('pods', [host.path('cni/conf'), host.path('var/lib/net')])];
  const { signal } = new AbortController();
  return converge({ remote: host, resources, facts: FACTS, mode: 'apply', phase: 'test', signal });
};

describe.skipIf(!RUNS_HERE)('what pods fill', () => {
  it('is noted once, and taken away but for what was there before', async () => {
    mkdirSync(host.path('cni'));
    mkdirSync(host.path('var/lib/net'), { recursive: true });
    writeFileSync(host.path('var/lib/net/of the user'), 'kept');
    expect((await place()).changes).toHaveLength(1);
    writeFileSync(host.path('cni/conf'), 'of a pod');
    writeFileSync(host.path('cni/other'), 'of somebody');
    writeFileSync(host.path('var/lib/net/of a pod'), 'x');
    expect((await place()).changes).toEqual([]);

    const { entries } = await readLedger(host);
    for (const stage of ['first', 'middle', 'last'] as const) await undo(host, entries, { stage, facts: FACTS });
    const left = ['cni/conf', 'cni/other', 'var/lib/net/of the user', 'var/lib/net/of a pod'];
    expect(left.filter((path) => existsSync(host.path(path)))).toEqual(['cni/other', 'var/lib/net/of the user']);
    expect((await readLedger(host)).entries).toEqual([]);
  });
});
