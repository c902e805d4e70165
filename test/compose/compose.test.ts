import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../../cli/dev/api-client.ts';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { ANSWERS, addDifferences, requireChecked } from '../support/answers.ts';
import { type DockerHost, dockerHost, put } from '../support/docker-host.ts';
import { composeImages } from '../support/docker-images.ts';

const LAB = 'kwpd';
const FOLDER = '/srv/kubewright';
const ROOT = join(import.meta.dirname, '../..');
const say = (line: string) => process.stderr.write(`${line}\n`);
const SERVICES = ['api', 'postgres', 'temporal', 'temporal-ui', 'worker'];

/** The repository's own compose file in a real Docker, on one host of a lab; it builds a cluster on the others. */
describe('docker compose up', () => {
  let lab: Lab;
  let docker: DockerHost;
  const scratch = mkdtempSync(join(tmpdir(), 'kubewright-compose-'));
  const compose = (rest: string) => docker.ssh(`cd ${FOLDER} && docker compose ${rest}`);
  const mustCompose = (rest: string) => docker.must(`cd ${FOLDER} && docker compose ${rest}`);

  beforeAll(async () => {
    await labDown(LAB);
    const images = composeImages(say);
    images.catch(() => undefined);
    lab = await labUp({ name: LAB, hosts: 3, onProgress: (line) => say(`lab: ${line}`) });
    docker = await dockerHost(lab.hosts.at(-1)!, say);
    for (const image of await images) {
      say(`docker host: image ${image.tag}`);
      await docker.load(image);
    }
    const { stdout } = await promisify(execFile)('git', ['ls-files', 'docker-compose.yml', 'deploy'], { cwd: ROOT });
    await docker.copy(stdout.trim().split('\n'), FOLDER, ROOT);
    const environment = { [ANSWERS]: '/data/answers.log' };
    await put(
      docker,
      JSON.stringify({ services: { api: { environment } } }),
      FOLDER,
      'docker-compose.override.yml',
      scratch,
    );
  });

  afterAll(async () => {
    rmSync(scratch, { recursive: true, force: true });
    await labDown(LAB);
  });

  /** An .env as deploy/.env.example says: each value made by the command in its comment. */
  async function filledIn(): Promise<Record<string, string>> {
    const values: Record<string, string> = {};
    let make = '';
    for (const line of readFileSync(join(ROOT, 'deploy/.env.example'), 'utf8').split('\n')) {
      make = /openssl [a-z0-9 -]*[a-z0-9]/.exec(line)?.[0] ?? make;
      const name = /^(\w+)=$/.exec(line)?.[1];
      if (name) values[name] = (await promisify(execFile)('sh', ['-c', make])).stdout.trim();
    }
    return values;
  }
  const writeEnv = (values: Record<string, string>) =>
    put(
      docker,
      Object.entries(values)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
      FOLDER,
      '.env',
      scratch,
    );

  interface Line {
    Service: string;
    State: string;
    Health: string;
    ExitCode: number;
  }
  const state = async (): Promise<Line[]> =>
    (await mustCompose('ps --all --format json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  const healthy = async () => {
    await expect
      .poll(
        async () =>
          (await state())
            .filter(({ Health }) => Health === 'healthy')
            .map(({ Service }) => Service)
            .sort(),
        {
          timeout: 300_000,
          interval: 1_000,
        },
      )
      .toEqual(SERVICES);
    const rest = (await state()).filter(({ Service }) => !SERVICES.includes(Service));
    expect(Object.fromEntries(rest.map(({ Service, ExitCode }) => [Service, ExitCode]))).toEqual({
      'database-users': 0,
      'temporal-namespace': 0,
      'temporal-schema': 0,
    });
  };
  const up = async () => {
    const begun = Date.now();
    const ran = await compose('up --detach --no-build --pull never');
    if (ran.code !== 0)
      throw new Error(`${ran.stderr.slice(-3000)}\n${(await compose('logs --tail 20')).stdout.slice(-6000)}`);
    say(`compose: up after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    await healthy();
    say(`compose: healthy after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  };
  const client = async () =>
    new ApiClient(
      `http://${docker.host.address}:8080`,
      (await mustCompose('exec -T api cat /data/admin-token')).trim(),
    );

  it('stops with a sentence for each secret that .env does not give', async () => {
    const values = await filledIn();
    expect(Object.keys(values)).toHaveLength(5);
    for (const missing of Object.keys(values)) {
      for (const given of [
        { ...values, [missing]: '' },
        Object.fromEntries(Object.entries(values).filter(([name]) => name !== missing)),
      ]) {
        await writeEnv(given);
        const ran = await compose('config --quiet');
        expect(ran.code, missing).not.toBe(0);
        expect(ran.stderr).toMatch(new RegExp(`${missing} is missing a value: give it a value in \\.env \\(openssl`));
      }
    }
  });

  it('becomes healthy', async () => {
    await writeEnv({ ...(await filledIn()), KUBEWRIGHT_PUBLISH: '0.0.0.0:8080' });
    await up();
    expect(await (await fetch(`http://${docker.host.address}:8080/readyz`)).json()).toMatchObject({ status: 'ready' });
  });

  it('gives each process its own user of PostgreSQL, and the superuser to none', async () => {
    const rows = await mustCompose(
      `exec -T postgres psql -U postgres -At -c "SELECT DISTINCT usename, datname FROM pg_stat_activity WHERE client_addr IS NOT NULL ORDER BY 1, 2"`,
    );
    expect(rows.trim().split('\n')).toEqual([
      'kubewright|kubewright',
      'temporal|temporal',
      'temporal_visibility|temporal_visibility',
    ]);
  });

  it('runs on a root that cannot be written, as a user without rights', async () => {
    for (const service of ['api', 'worker']) {
      expect((await mustCompose(`exec -T ${service} id -u`)).trim()).toBe('10001');
      expect((await compose(`exec -T ${service} touch /app/x`)).stderr).toContain('Read-only file system');
    }
  });

  it('reports the failed check when Temporal does not answer', async () => {
    const unhealthy = async () =>
      (await state()).filter(({ Health }) => Health === 'unhealthy').map(({ Service }) => Service);
    await mustCompose('kill --signal STOP temporal');
    await expect.poll(unhealthy, { timeout: 240_000, interval: 2_000 }).toContain('api');
    await mustCompose('kill --signal CONT temporal');
    await healthy();
  });

  let operation: string;
  let commands: number;

  it('builds a cluster on other hosts', async () => {
    const api = await client();
    const privateKey = readFileSync(lab.hosts[0]!.sshKey, 'utf8');
    await api.request('PUT', '/credentials/lab', { kind: 'key', privateKey });
    const hosts = (lab.spec.spec.hosts as { name: string }[]).filter(({ name }) => name !== docker.host.name);
    const spec = { ...lab.spec, spec: { ...lab.spec.spec, hosts, ssh: { user: 'root', credential: { name: 'lab' } } } };
    ({ operation } = await api.request<{ operation: string }>('POST', '/clusters', spec));
    const status = await api.follow(LAB, operation);
    expect(status.tasks.flatMap(({ phase, host, error }) => (error ? [{ phase, host, error }] : []))).toEqual([]);
    expect(status.state).toBe('succeeded');
    commands = (await api.commands(LAB, { operation })).length;
    expect(await mustCompose('exec -T api kubewright audit check')).toContain('unchanged:');
  });

  it('has everything after down and up', async () => {
    const before = await client();
    await mustCompose('down');
    await up();
    const api = await client();
    expect(await api.request('GET', '/tokens')).toEqual(await before.request('GET', '/tokens'));
    expect(await api.request('GET', `/clusters/${LAB}`)).toMatchObject({ state: 'ready', operation });
    expect(await api.commands(LAB, { operation })).toHaveLength(commands);
    const again = await api.request<{ operation: string }>('POST', `/clusters/${LAB}/operations`, { kind: 'check' });
    expect((await api.follow(LAB, again.operation)).state).toBe('succeeded');
    await requireChecked(`http://${docker.host.address}:8080`);
    const { stdout } = await compose('exec -T api sh -c "cat /data/answers.log 2>/dev/null"');
    addDifferences(stdout.split('\n').filter(Boolean));
  });
});
