import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { batchScript } from '../../../activities/resources/batch.ts';
import { LocalHost, RUNS_HERE } from './support/local-host.ts';

const host = new LocalHost();
afterEach(() => host.dispose());

describe.runIf(RUNS_HERE)('a batch whose connection is lost', () => {
  it('removes its temporary folder when its output has no reader any more', async () => {
    const parts = [
      { key: 'first', fragment: { script: 'sleep 0.3' } },
      { key: 'second', fragment: { script: 'sleep 0.3' } },
    ];
    const script = host.local(batchScript({ lane: 'quick', parts, ledgerLines: '', payloads: new Map() }, 'nonce'));
    const child = spawn('sh', ['-c', script, 'kubewright'], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    expect(readdirSync(host.path('run'))).toHaveLength(1);
    child.stdout.destroy();
    await once(child, 'exit');
    expect(readdirSync(host.path('run'))).toEqual([]);
  });
});
