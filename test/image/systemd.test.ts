import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { run, tryRun } from '../../lab/run.ts';
import { ANSWERS, addDifferences } from '../support/answers.ts';
import { type AssembledImage, assembleImage } from '../support/image.ts';
import { DATABASE_PASSWORDS, type Postgres, setupRoles, startPostgres } from '../support/postgres.ts';
import { createNamespace, type ProductionTemporal, startProductionTemporal } from '../support/production-temporal.ts';

const LAB = 'kwps';
const ROOT = join(import.meta.dirname, '../..');
const say = (line: string) => process.stderr.write(`${line}\n`);
const ANSWERS_LOG = '/var/lib/kubewright/answers.log';
const UNITS = ['kubewright-api', 'kubewright-worker'];

/** deploy/systemd on a host with systemd; PostgreSQL and Temporal at its loopback, through a tunnel to this machine. */
describe('the systemd units', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-systemd-'));
  let lab: Lab;
  let image: AssembledImage;
  let postgres: Postgres;
  let temporal: ProductionTemporal;
  let tunnel: ChildProcess;
  let login: string[];

  const ssh = (command: string) => tryRun([...login, command]);
  const must = async (command: string) => (await run([...login, command])).stdout;
  const copy = (from: string, names: string, into: string) =>
    promisify(execFile)('bash', [
      ...['-o', 'pipefail', '-c'],
      `cd '${from}' && tar -cf - ${names} | ${login.map((word) => `'${word}'`).join(' ')} 'mkdir -p ${into} && tar --no-same-owner -C ${into} -xf -'`,
    ]);
  const shown = async (unit: string, property: string) =>
    (await must(`systemctl show --value --property ${property} ${unit}`)).trim();

  beforeAll(async () => {
    await labDown(LAB);
    lab = await labUp({ name: LAB, hosts: 1, mirror: false, onProgress: (line) => say(`lab: ${line}`) });
    const [host] = lab.hosts;
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'ConnectTimeout=10'];
    login = ['ssh', '-i', host!.sshKey, ...options.flatMap((each) => ['-o', each]), `root@${host!.address}`];
    postgres = await startPostgres();
    await setupRoles(postgres);
    temporal = await startProductionTemporal({ postgres, onProgress: say });
    await createNamespace(temporal.address);
    const ends = [`5432:${postgres.host}:${postgres.port}`, `7233:${temporal.address}`];
    tunnel = spawn(login[0]!, [
      ...login.slice(1, -1),
      ...['-N', '-o', 'ExitOnForwardFailure=yes', ...ends.flatMap((each) => ['-R', `127.0.0.1:${each}`])],
      login.at(-1)!,
    ]);
    image = await assembleImage(join(folder, 'image'), say);
    // As docs/operations.md says, with the image's files for `npm ci --omit=dev` and the bundle.
    await copy(join(image.root, 'app'), '.', '/opt/kubewright');
    await copy(join(image.root, 'usr/local/bin'), 'node', '/usr/local/bin');
    await copy(join(ROOT, 'deploy/systemd'), '*.service', '/etc/systemd/system');
    await copy(join(ROOT, 'deploy/systemd'), 'kubewright.sysusers kubewright.env.example', '/tmp/units');
    await must(
      [
        'install -D -m 0644 /tmp/units/kubewright.sysusers /etc/sysusers.d/kubewright.conf && systemd-sysusers',
        'install -d -m 0700 /etc/kubewright && cp /tmp/units/kubewright.env.example /etc/kubewright/kubewright.env',
        `echo ${ANSWERS}=${ANSWERS_LOG} >>/etc/kubewright/kubewright.env`,
        `umask 077; openssl rand -base64 32 >/etc/kubewright/secret-key 2>/dev/null || head -c 32 /dev/urandom | base64 >/etc/kubewright/secret-key`,
        `printf '%s\\n' '${DATABASE_PASSWORDS.KUBEWRIGHT_DB_PASSWORD}' >/etc/kubewright/database-password`,
        'systemctl daemon-reload',
      ].join(' && '),
    );
  });

  afterAll(async () => {
    tunnel?.kill();
    await image?.remove();
    rmSync(folder, { recursive: true, force: true });
    await temporal?.stop();
    await postgres?.stop();
    await labDown(LAB);
  });

  const ready = () =>
    expect
      .poll(async () => (await ssh('curl -fsS http://127.0.0.1:8080/readyz')).stdout, {
        timeout: 90_000,
        interval: 500,
      })
      .toContain('"status":"ready"');

  it('pass the check of systemd', async () => {
    const verified = await ssh(
      `systemd-analyze verify ${UNITS.map((unit) => `/etc/systemd/system/${unit}.service`).join(' ')}`,
    );
    expect({
      code: verified.code,
      said: verified.stderr.split('\n').filter((line) => line.includes('kubewright')),
    }).toEqual({
      code: 0,
      said: [],
    });
  });

  it('start API and worker as a user without rights, with secrets that only root has in files', async () => {
    await must(`systemctl enable --now ${UNITS.join(' ')}`);
    await ready();
    for (const unit of UNITS) {
      const pid = await shown(unit, 'MainPID');
      const status = await must(`cat /proc/${pid}/status`);
      expect(status).toMatch(/^CapBnd:\s+0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).toMatch(/^Seccomp:\s+2$/m);
      expect(status).not.toMatch(/^Uid:\s+0\s/m);
      const environment = await must(`tr '\\0' '\\n' </proc/${pid}/environ`);
      expect(environment).not.toContain(DATABASE_PASSWORDS.KUBEWRIGHT_DB_PASSWORD);
      expect(environment).toMatch(/^KUBEWRIGHT_SECRET_KEY_FILE=\/run\/credentials\//m);
      expect((await ssh(`nsenter -t ${pid} -m touch /opt/kubewright/x`)).stderr).toContain('Read-only file system');
    }
    expect(await must('curl -fsSi http://127.0.0.1:8080/healthz')).toContain('x-answers-checked: 1');
    expect(await must('stat -c "%a %U" /var/lib/kubewright /var/lib/kubewright/admin-token')).toBe(
      '700 kubewright\n600 kubewright\n',
    );
  });

  it('start again what was killed', async () => {
    for (const unit of UNITS) {
      const before = await shown(unit, 'MainPID');
      await must(`kill -9 ${before}`);
      await expect.poll(() => shown(unit, 'MainPID'), { timeout: 30_000 }).not.toMatch(new RegExp(`^(0|${before})$`));
    }
    await ready();
  });

  it('end politely, and stay ended', async () => {
    // /readyz counts the sign of life of the killed worker for some seconds: the log says that the new one runs.
    const log = async () => must(`journalctl --no-pager _PID=${await shown('kubewright-worker', 'MainPID')}`);
    await expect.poll(log, { timeout: 60_000, interval: 500 }).toContain('the worker is running');
    await must(`systemctl stop ${UNITS.join(' ')}`);
    for (const unit of UNITS) {
      expect([await shown(unit, 'Result'), await shown(unit, 'ExecMainStatus')]).toEqual(['success', '0']);
    }
  });

  it('send answers that match the OpenAPI document', async () => {
    addDifferences((await must(`cat ${ANSWERS_LOG} 2>/dev/null || true`)).split('\n').filter(Boolean));
  });

  it('do not restart with a wrong configuration, and log the error', async () => {
    await must('echo KUBEWRIGHT_PORT=no-number >>/etc/kubewright/kubewright.env; : >/etc/kubewright/secret-key');
    await ssh('systemctl start kubewright-api');
    await expect.poll(() => shown('kubewright-api', 'ActiveState'), { timeout: 30_000 }).toBe('failed');
    expect(await shown('kubewright-api', 'ExecMainStatus')).toBe('78');
    expect(await shown('kubewright-api', 'NRestarts')).toBe('0');
    const journal = await must('journalctl --no-pager --boot --unit kubewright-api --lines 20');
    expect(journal).toContain('KUBEWRIGHT_PORT');
    expect(journal).toMatch(/KUBEWRIGHT_SECRET_KEY_FILE: .*secret-key is empty/);
  });
});
