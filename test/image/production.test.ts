import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ApiClient } from '../../cli/dev/api-client.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { tryRun } from '../../lab/run.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { runInImage } from '../support/image.ts';
import { type Production, startProduction } from '../support/production.ts';

const LAB = 'kwpi';
const say = (line: string) => process.stderr.write(`${line}\n`);

/** What a server of TLS answers to a client that comes without a certificate. */
function handshake(address: string, ca: string): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    const options = { host, port: Number(port), ca, servername: 'temporal.test', ALPNProtocols: ['h2'] };
    const socket = connect(options, () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(`${error.code ?? ''} ${error.message}`));
    socket.once('data', () => resolve('was let in'));
    socket.once('close', () => resolve('closed'));
  });
}

/**
 * The files of the image as processes of their own, against PostgreSQL and Temporal's server, with hosts to build on:
 * what production is, and what it survives.
 */
describe('production', () => {
  let lab: Lab;
  let production: Production;
  const api = () => new ApiClient(production.url, production.adminToken());

  beforeAll(async () => {
    await labDown(LAB);
    const made = await Promise.allSettled([
      labUp({ name: LAB, hosts: 2, onProgress: (line) => say(`lab: ${line}`) }),
      startProduction(say),
    ]);
    if (made[1].status === 'fulfilled') production = made[1].value;
    for (const each of made) if (each.status === 'rejected') throw each.reason;
    lab = (made[0] as PromiseFulfilledResult<Lab>).value;
  });

  afterAll(async () => {
    await production?.end();
    await labDown(LAB);
  });

  it('starts as a user without rights on a root that it cannot write', async () => {
    await Promise.all([production.api.start(), production.worker.start()]);
    for (const { pid } of [production.api, production.worker]) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\s+10001\s+10001\s+10001\s+10001$/m);
      expect(status).toMatch(/^CapBnd:\s+0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(readFileSync(`/proc/${pid}/mounts`, 'utf8')).toMatch(/^overlay \/ overlay ro[, ]/m);
    }
    // Made with the image: no worker needs webpack.
    expect(production.worker.log()).not.toContain('bundling');
    expect(await (await fetch(`${production.url}/readyz`)).json()).toMatchObject({ status: 'ready' });
  });

  it('has a Temporal that requires client certificates, at its frontend and between its services', async () => {
    const { temporal, tls } = production;
    for (const address of [temporal.address, ...temporal.internode]) {
      expect(await handshake(address, tls.serverCa), address).toMatch(/CERTIFICATE_REQUIRED|certificate required/i);
    }
    const plain = { TEMPORAL_TLS: 'false', ...Object.fromEntries(Object.keys(tls.cli).map((name) => [name, ''])) };
    const { path } = await resolveTemporalBinary();
    const said = await tryRun([path, 'operator', 'cluster', 'health', '--address', temporal.address], { env: plain });
    expect(said.code, said.stdout).not.toBe(0);
    // The same call with the certificate.
    expect((await temporal.cli('operator', 'cluster', 'health')).code).toBe(0);
  });

  it('has no compiler, no test and no tool of the developers in it', async () => {
    const found = await runInImage(production.image, [
      'sh',
      '-c',
      'ls -d node_modules/vitest node_modules/typescript node_modules/@temporalio/testing lab test cli/dev .env 2>/dev/null; ls node_modules/@temporalio/core-bridge/releases',
    ]);
    expect(found.trim().split('\n')).toEqual([expect.stringMatching(/-unknown-linux-gnu$/)]);
  });

  it('builds a cluster while Temporal, worker and API are killed and started again, one after the other', async () => {
    const client = api();
    const [first] = lab.hosts;
    const privateKey = readFileSync(first!.sshKey, 'utf8');
    await client.request('PUT', '/credentials/lab', { kind: 'key', privateKey });
    const spec = { ...lab.spec, spec: { ...lab.spec.spec, ssh: { user: 'root', credential: { name: 'lab' } } } };
    const { operation } = await client.request<{ operation: string }>('POST', '/clusters', spec);
    const done = async () =>
      (await client.operation(LAB, operation)).tasks.filter(({ state }) => state === 'succeeded').length;
    const further = async (tasks: number) => {
      const aim = (await done()) + tasks;
      await expect.poll(done, { timeout: 240_000, interval: 300 }).toBeGreaterThanOrEqual(aim);
    };

    await further(2);
    await production.worker.end('SIGKILL');
    await production.worker.start();
    await further(2);
    await production.temporal.kill();
    // Long enough for both to notice.
    await sleep(3_000);
    expect((await fetch(`${production.url}/readyz`)).status).toBe(503);
    await production.temporal.start();
    await further(2);
    await production.api.end('SIGKILL');
    // The build goes on without it.
    await sleep(2_000);
    await production.api.start();
    const status = await client.follow(LAB, operation);
    expect(status.tasks.filter(({ error }) => error).map(({ phase, host, error }) => ({ phase, host, error }))).toEqual(
      [],
    );
    expect(status.state).toBe('succeeded');
  });

  it('has everything after each part was killed and started again', async () => {
    const client = api();
    const seen = async () => {
      const cluster = await client.request<{ state: string; operation: string }>('GET', `/clusters/${LAB}`);
      const history = await client.commands(LAB, { operation: cluster.operation });
      return { state: cluster.state, commands: history.length, tokens: await client.request('GET', '/tokens') };
    };
    const before = await seen();
    expect(before.state).toBe('ready');
    expect(before.commands).toBeGreaterThan(50);
    const restart = {
      temporal: async () => {
        await production.temporal.kill();
        await production.temporal.start();
      },
      worker: async () => {
        await production.worker.end('SIGKILL');
        await production.worker.start();
      },
      api: async () => {
        await production.api.end('SIGKILL');
        await production.api.start();
      },
    };
    for (const again of Object.values(restart)) {
      await again();
      expect(await seen()).toEqual(before);
    }
    // And it still works: the same spec once more changes nothing.
    const build = () => client.request<{ operation: string }>('POST', `/clusters/${LAB}/operations`, { kind: 'build' });
    // Refused with 503 and Retry-After while the worker that was started last does not answer yet.
    const { operation } = await vi.waitFor(build, { timeout: 60_000, interval: 1_000 });
    const status = await client.follow(LAB, operation);
    expect(status.state).toBe('succeeded');
    expect(status.tasks.reduce((sum, { changeCount = 0 }) => sum + changeCount, 0)).toBe(0);
  });

  it('has the CLI in the container, which reaches database and spool with the settings of the API', async () => {
    expect(await production.cli('audit', 'check')).toContain('unchanged:');
  });

  it('ends on SIGTERM by itself', async () => {
    const ends = await Promise.all([production.api.end('SIGTERM'), production.worker.end('SIGTERM')]);
    expect(ends).toEqual([0, 0]);
  });
});
