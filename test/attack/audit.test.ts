import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rechain } from '../support/forged-chain.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** D1 and D2 of the trust issue: an attacker who can write our database, and nothing else, is detected. */

const main = join(import.meta.dirname, '../../cli/main.ts');
function kubewright(...args: string[]) {
  const env = { PATH: process.env['PATH'] };
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
  return { code: status, out: stdout, err: stderr };
}

let api: ServiceProcess;
let folder: string;
let sink: string;
let syslog: Server;
let received = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-attack-audit-'));
  sink = join(folder, 'anchors.log');
  syslog = createServer((socket) => socket.on('data', (chunk: Buffer) => (received += chunk.toString('utf8'))));
  await new Promise<void>((resolve) => syslog.listen(0, '127.0.0.1', () => resolve()));
  const { port } = syslog.address() as { port: number };
  api = await startServiceProcess({
    KUBEWRIGHT_AUDIT_ANCHOR_SECONDS: '1',
    KUBEWRIGHT_AUDIT_SINK_FILE: sink,
    KUBEWRIGHT_AUDIT_SINK_SYSLOG: `tcp://127.0.0.1:${port}`,
  });
  for (let n = 0; n < 8; n += 1) {
    const { status } = await api.call('POST', '/tokens', { body: { name: `token-${n}`, role: 'viewer' } });
    expect(status).toBe(201);
  }
  await vi.waitFor(() => expect(received).toContain('kubewright-anchor/1'), { timeout: 20_000 });
  await api.stop();
});
afterAll(async () => {
  await api.close();
  syslog.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The verdict on a changed copy of the data directory. */
function check(change: (database: DatabaseSync) => void, more: { args?: string[]; forget?: boolean } = {}) {
  const copy = mkdtempSync(join(folder, 'copy-'));
  cpSync(api.dataDir, copy, { recursive: true });
  if (more.forget === true) rmSync(join(copy, 'anchors.json'), { force: true });
  const database = new DatabaseSync(join(copy, 'kubewright.db'));
  change(database);
  database.close();
  return kubewright('audit', 'check', '--data', copy, ...(more.args ?? []));
}

describe('a database that was changed without the service', () => {
  it('is unchanged at first, and the sinks hold what it holds', () => {
    const { code, out, err } = check(() => undefined, { args: ['--anchors', sink] });
    expect({ code, err }, out).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^unchanged: /);
    expect(out).toContain('signed anchors since');
    expect(out).toMatch(/[1-9]\d* anchors of the sink match the database/);
    const fromSyslog = join(folder, 'syslog.log');
    writeFileSync(fromSyslog, received.replaceAll(/\d+ <85>1 /g, '\n<85>1 '));
    expect(check(() => undefined, { args: ['--anchors', fromSyslog] })).toMatchObject({ code: 0 });
  });

  it('with the actor of 8 requests changed and the chain rewritten from the start is found', () => {
    const { code, out } = check((database) => {
      database.exec(`update journal set actor = 'nobody' where kind = 'request' and argv like '["POST","/tokens"%'`);
      rechain(database, 'installation');
    });
    expect(code).toBe(1);
    expect(out).toMatch(/^CHANGED: journal, chain installation: link \d+: anchor \d+ of .* signed another one/);
  });

  it('without its anchors is detected by the copies on this machine and in the sink', () => {
    const forge = (database: DatabaseSync) => {
      database.exec(`update journal set actor = 'nobody' where kind = 'request'`);
      rechain(database, 'installation');
      database.exec('delete from anchors');
    };
    expect(check(forge).out).toContain('it was signed on this machine');
    const { code, out } = check(forge, { forget: true, args: ['--anchors', sink] });
    expect(code).toBe(1);
    expect(out).toContain('the database no longer has it');
  });

  it('put back to an older state is found', () => {
    const back = (database: DatabaseSync) =>
      database.exec('delete from anchors where n = (select max(n) from anchors)');
    expect(check(back)).toMatchObject({ code: 1 });
  });

  it.each([
    [`update tokens set role = 'admin' where name = 'token-3'`, 'it is not as it was when it was given out'],
    [`update tokens set sha256 = '${'0'.repeat(64)}' where name = 'token-3'`, 'it is not as it was'],
    [`delete from tokens where name = 'token-3'`, 'it is missing'],
    [
      `insert into tokens (id, name, role, sha256, created_at) values ('x', 'x', 'admin', 'x', '2020-01-01T00:00:00.000Z')`,
      'no record says that it was handed out',
    ],
    [`update tokens set revoked_at = '2026-01-01T00:00:00.000Z' where name = 'token-3'`, 'no request did that'],
    [`update anchors set pos = pos + 1 where n = 1`, 'anchor 1'],
    [`update anchors set entry = replace(entry, '"n":1,', '"n":1 ,') where n = 1`, 'anchor 1'],
    [`delete from anchors where n = 1`, 'missing before it'],
  ])('with %s is found', (statement, words) => {
    const { code, out } = check((database) => database.exec(statement));
    expect(out).toContain(words);
    expect(code).toBe(1);
  });

  it('a bundle signed with another key is detected; without a key the signer is unknown', () => {
    const other = `SHA256:${'A'.repeat(43)}`;
    expect(check(() => undefined, { args: ['--fingerprint', other] })).toMatchObject({ code: 1 });
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(api.dataDir, copy, { recursive: true });
    rmSync(join(copy, 'audit.key'));
    const { code, out } = kubewright('audit', 'check', '--data', copy);
    expect(code, out).toBe(2);
    expect(out).toMatch(/^internally consistent, signer unknown/);
  });
});

describe('audit check writes nothing', () => {
  const state = (path: string) =>
    readdirSync(path)
      .sort()
      .map((name) => [name, statSync(join(path, name)).mtimeMs, digestOf(join(path, name))]);
  const digestOf = (path: string) =>
    statSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';

  it('changes neither a closed database nor one with a WAL', () => {
    for (const leaveWal of [false, true]) {
      const copy = mkdtempSync(join(folder, 'copy-'));
      cpSync(api.dataDir, copy, { recursive: true });
      const holder = leaveWal ? new DatabaseSync(join(copy, 'kubewright.db')) : null;
      holder?.exec('pragma journal_mode = wal; create table other (x); drop table other');
      const before = state(copy);
      expect(kubewright('audit', 'check', '--data', copy).code).toBe(0);
      expect(state(copy)).toEqual(before);
      holder?.close();
    }
  });

  it('to one of an earlier version: its schema is reported', () => {
    const { code, err } = check((database) =>
      database.exec(`delete from kysely_migration where name = '009-signed-heads'; drop table anchors`),
    );
    expect(code).toBe(1);
    expect(err).toContain('009-signed-heads');
  });
});
