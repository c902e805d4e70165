import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pinnedFingerprint } from '../../activities/host/host-keys.ts';
import { TestSshServer, testKey } from '../fakes/ssh-server.ts';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** A2 of the trust issue: who may use which credential where, and what is sent to whom. The sshd belongs to the attacker. */

type Json = Record<string, unknown>;
interface Problem {
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

const PASSWORD = 'the-password-of-root';
const hostKey = testKey();
const login = testKey();
const shown = pinnedFingerprint(hostKey.public.split(' ').slice(0, 2).join(' '));

let api: ServiceProcess;
let sshd: TestSshServer;
/** Operators: of team-a alone, and of all clusters. */
let teamA: string;
let operator: string;
/** An admin of team-a alone. */
let teamAdmin: string;
let keys: string;

beforeAll(async () => {
  sshd = await new TestSshServer({
    hostKeys: [hostKey],
    authorized: [login],
    password: PASSWORD,
    passwordMethods: ['password', 'keyboard-interactive'],
  }).listen();
  // Logins count; nothing is run.
  sshd.when(/./, (channel) => {
    channel.exit(1);
    channel.end();
  });
  api = await startServiceProcess(EMBEDDED);
  keys = join(api.dataDir, 'keys');
  mkdirSync(keys);
  writeFileSync(join(keys, 'outside'), login.private, { mode: 0o600 });
  chmodSync(join(keys, 'outside'), 0o600);
  mkdirSync(join(keys, 'allowed'));
  writeFileSync(join(keys, 'allowed', 'key'), login.private, { mode: 0o600 });
  symlinkSync('../outside', join(keys, 'allowed', 'escape'));
  await api.stop();
  await api.start({ ...EMBEDDED, KUBEWRIGHT_LOGIN_PATHS: join(keys, 'allowed') });
  teamA = await token({ role: 'operator', clusters: ['team-a'] });
  operator = await token({ role: 'operator' });
  teamAdmin = await token({ role: 'admin', clusters: ['team-a'] });
  const password = { kind: 'password', password: PASSWORD };
  await put('prod-root', { ...password, clusters: ['prod'] });
  await put('nobody-yet', password);
  await put('team-root', { ...password, clusters: ['team-*'], addresses: ['127.0.0.0/8'] });
  await put('elsewhere', { ...password, clusters: ['team-*'], addresses: ['10.0.0.0/8', 'db.example'] });
});
afterAll(async () => {
  await api.close();
  await sshd.close();
});

async function token(more: Json): Promise<string> {
  const made = await api.call('POST', '/tokens', { body: { name: 'someone', ...more } });
  expect(made.status, made.text).toBe(201);
  return (JSON.parse(made.text) as { token: string }).token;
}
async function put(name: string, body: Json): Promise<void> {
  const answer = await api.call('PUT', `/credentials/${name}`, { body });
  expect(answer.status, answer.text).toBe(200);
}

const spec = (name: string, ssh: Json, host: Json = {}): Json => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: {
    hosts: [{ name: 'cp-1', address: '127.0.0.1', roles: ['control-plane', 'etcd', 'worker'], ...host }],
    ssh: { port: sshd.port, ...ssh },
  },
});
const pinned = { hostKey: shown };
const dryRun = (body: Json, by: string) => api.call('POST', '/clusters?dryRun=true', { body, token: by });
const problem = ({ text }: { text: string }): Problem => JSON.parse(text) as Problem;
/** The answer without what the caller said. */
const plain = ({ status, text }: { status: number; text: string }, name: string) => {
  const { code, detail, errors } = problem({ text });
  return JSON.parse(JSON.stringify({ status, code, detail, errors }).replaceAll(name, 'NAME')) as Json;
};

describe('a credential that is not for the cluster', () => {
  it('is answered as one that does not exist, at every place of a spec, for every limited token', async () => {
    const places: ((credential: Json) => [Json, Json])[] = [
      (credential) => [{ credential, ...pinned }, {}],
      (credential) => [{ credential: { name: 'team-root' } }, { ssh: { credential, ...pinned } }],
      (credential) => [
        {
          credential: { name: 'team-root' },
          ...pinned,
          jump: { address: '127.0.0.1', port: sshd.port, credential, ...pinned },
        },
        {},
      ],
    ];
    for (const by of [teamA, teamAdmin]) {
      for (const place of places) {
        const answers = [];
        for (const name of ['prod-root', 'nobody-yet', 'elsewhere', 'not-there', 'prod-roo']) {
          for (const how of ['?dryRun=true', '']) {
            const answer = await api.call('POST', `/clusters${how}`, {
              body: spec('team-a', ...place({ name })),
              token: by,
            });
            answers.push(plain(answer, name));
          }
        }
        expect(answers[0]).toMatchObject({ status: 422, code: 'SPEC_INVALID' });
        for (const answer of answers) expect(answer).toEqual(answers[0]);
      }
    }
    expect(sshd.connections).toBe(0);
  });

  it('and an operator of all clusters does not learn of those that admins kept', async () => {
    const one = plain(await dryRun(spec('free', { credential: { name: 'nobody-yet' } }), operator), 'nobody-yet');
    const other = plain(await dryRun(spec('free', { credential: { name: 'not-there' } }), operator), 'not-there');
    expect(one).toEqual(other);
    const listed = await api.call('GET', '/credentials', { token: operator });
    expect(listed.text).toContain('team-root');
    expect(listed.text).not.toContain('nobody-yet');
    // A token that manages them sees them.
    const { detail } = problem(await dryRun(spec('free', { credential: { name: 'prod-root' } }), api.adminToken));
    expect(detail).toContain('it is limited to the clusters prod');
  });

  it('is not opened at an address that its name resolves to and that is not allowed', async () => {
    const body = spec('team-a', { credential: { name: 'elsewhere' }, ...pinned }, { address: 'localhost' });
    const answer = await dryRun(body, teamA);
    expect(answer.status, answer.text).toBe(200);
    const { errors } = JSON.parse(answer.text) as { errors: { code: string; message: string }[] };
    expect(errors[0]).toMatchObject({
      code: 'SSH_CREDENTIAL_UNUSABLE',
      message: 'there is no credential named elsewhere for the cluster team-a at localhost',
    });
    expect([sshd.connections, sshd.offered]).toEqual([0, []]);
  });
});

describe('key files and agents of the worker', () => {
  it('are for admins of all clusters, or for allowed paths without links that lead out', async () => {
    for (const credential of [{ keyFile: join(keys, 'outside') }, { keyFile: '/nowhere' }, { agent: '/run/agent' }]) {
      for (const by of [teamA, operator, teamAdmin]) {
        const answer = await dryRun(spec('team-a', { credential, ...pinned }), by);
        expect(answer.status, answer.text).toBe(403);
        expect(problem(answer)).toMatchObject({ code: 'FORBIDDEN', errors: [{ path: 'spec.ssh.credential' }] });
      }
    }
    const errorsOf = async (path: string) => {
      const answer = await dryRun(spec('team-a', { credential: { keyFile: join(keys, path) }, ...pinned }), teamA);
      expect(answer.status, answer.text).toBe(200);
      return (JSON.parse(answer.text) as { errors: { code: string }[] }).errors.map(({ code }) => code);
    };
    const before = sshd.logins;
    expect(await errorsOf('allowed/escape')).toEqual(['SSH_CREDENTIAL_UNUSABLE']);
    expect(sshd.logins).toBe(before);
    expect(await errorsOf('allowed/key')).not.toContain('SSH_CREDENTIAL_UNUSABLE');
    expect(sshd.logins).toBeGreaterThan(before);
  });

  it('go on being used where an admin approved them, and nowhere else', async () => {
    const own = { address: '127.0.0.3' };
    const approved = spec('team-b', { credential: { keyFile: join(keys, 'outside') }, ...pinned }, own);
    const built = await api.call('POST', '/clusters', { body: approved });
    expect(built.status, built.text).toBe(202);
    expect((await dryRun(approved, operator)).status).not.toBe(403);
    for (const host of [{ address: '127.0.0.9' }, { ssh: { port: sshd.port + 1 } }, { ssh: { user: 'other' } }]) {
      const moved = spec('team-b', { credential: { keyFile: join(keys, 'outside') }, ...pinned }, { ...own, ...host });
      expect((await dryRun(moved, operator)).status).toBe(403);
    }
    const { status } = await api.call('PATCH', '/clusters/team-b/hosts/cp-1', {
      body: { address: '127.0.0.9' },
      token: operator,
    });
    expect(status).toBe(403);
    await api.call('POST', '/clusters/team-b/cancel', { body: {} });
  });
});

describe('a password', () => {
  const blocked = async (code: string): Promise<{ evidence: string }> => {
    let found: { code: string; evidence: string } | undefined;
    await expect
      .poll(
        async () => {
          const { text } = await api.call('GET', '/clusters/team-a');
          found = (JSON.parse(text) as { blockedHosts?: { code: string; evidence: string }[] }).blockedHosts?.[0];
          return found?.code;
        },
        { timeout: 60_000 },
      )
      .toBe(code);
    return found!;
  };
  const retry = async (body: Json = {}) => {
    const answer = await api.call('POST', '/clusters/team-a/hosts/cp-1/retry', { body, token: teamA });
    return answer;
  };

  it('waits for a confirmed host key, and for the credential to be for this cluster still', async () => {
    const built = await api.call('POST', '/clusters', {
      body: spec('team-a', { credential: { name: 'team-root' } }),
      token: teamA,
    });
    expect(built.status, built.text).toBe(202);
    const { evidence } = await blocked('SSH_HOST_KEY_UNCONFIRMED');
    expect(evidence).toContain(shown);
    expect(evidence).toContain('POST /clusters/team-a/hosts/cp-1/host-key');
    expect(sshd.offered).toEqual([]);

    // A decision is a use as well.
    const answers = [];
    for (const name of ['prod-root', 'nobody-yet', 'not-there']) {
      answers.push(plain(await retry({ ssh: { credential: { name } } }), name));
    }
    expect(answers[0]).toMatchObject({ status: 422, code: 'SPEC_INVALID' });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect((await retry({ ssh: { credential: { keyFile: join(keys, 'outside') } } })).status).toBe(403);

    // Of another key nothing follows.
    const confirm = (fingerprint: string) =>
      api.call('POST', '/clusters/team-a/hosts/cp-1/host-key', { body: { fingerprint }, token: teamA });
    expect((await confirm(`SHA256:${'A'.repeat(43)}`)).status).toBe(200);
    expect((await retry()).status).toBe(202);
    await blocked('SSH_HOST_KEY_MISMATCH');
    expect(sshd.offered).toEqual([]);

    expect((await confirm(shown)).status).toBe(200);
    expect((await retry()).status).toBe(202);
    await expect.poll(() => sshd.offered.length, { timeout: 60_000 }).toBeGreaterThan(0);
    expect(new Set(sshd.offered)).toEqual(new Set([PASSWORD]));

    // Accepted, and then taken away: the worker looks when it opens the secret.
    await expect
      .poll(async () => (await api.call('GET', '/clusters/team-a')).text, { timeout: 60_000 })
      .toMatch(/"blockedHosts":\[\{"host":"cp-1"/);
    const scoped = await api.call('PATCH', '/credentials/team-root', { body: { clusters: ['team-z'] } });
    expect(scoped.status, scoped.text).toBe(200);
    const offered = sshd.offered.length;
    expect((await retry()).status).toBe(202);
    await blocked('SSH_CREDENTIAL_UNUSABLE');
    expect(sshd.offered).toHaveLength(offered);
    expect(api.log()).not.toContain(PASSWORD);
  });
});
