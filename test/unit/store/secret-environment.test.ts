import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../api/config.ts';
import { SECRET_VARIABLES, secretEnvironment } from '../../../store/secret-environment.ts';
import { workerConfig } from '../../../worker/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubewright-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const file = (content: string | Uint8Array): string => {
  const path = join(folder, `secret-${(count += 1)}`);
  writeFileSync(path, content);
  return path;
};
const KEY = Buffer.alloc(32, 7).toString('base64');

describe('secrets from files', () => {
  it.each(SECRET_VARIABLES.filter((name) => !name.includes('DATABASE')))('%s_FILE gives %s', (name) => {
    const { env, problems } = secretEnvironment({ [`${name}_FILE`]: file('the secret\n') });
    expect(problems).toEqual([]);
    expect(env[name]).toBe('the secret');
    expect(env[`${name}_FILE`]).toBeUndefined();
  });

  it('reach both processes, the password of the database put into its address', () => {
    const given = {
      KUBEWRIGHT_DATABASE_URL: 'postgres://kubewright@db:5432/kubewright',
      KUBEWRIGHT_DATABASE_PASSWORD_FILE: file('a%b:@/ x?#\u00fc\r\n'),
      KUBEWRIGHT_SECRET_KEY_FILE: file(`${KEY}\n`),
      TEMPORAL_ADDRESS: 'temporal:7233',
    };
    for (const parse of [parseConfig, workerConfig]) {
      const { databaseUrl, secretKey } = parse(given);
      expect(secretKey).toBe(KEY);
      expect(decodeURIComponent(new URL(databaseUrl ?? '').password)).toBe('a%b:@/ x?#\u00fc');
    }
  });

  it('keep the lines of a key in PEM', () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    expect(parseConfig({ KUBEWRIGHT_AUDIT_KEY_FILE: file(pem) }).auditKey).toBe(pem.trimEnd());
  });

  it('count as absent when the variable is set to nothing', () => {
    expect(secretEnvironment({ KUBEWRIGHT_SECRET_KEY: KEY, KUBEWRIGHT_SECRET_KEY_FILE: '' })).toMatchObject({
      env: { KUBEWRIGHT_SECRET_KEY: KEY },
      problems: [],
    });
  });

  it('TLS paths may be spelled the same way', () => {
    expect(parseConfig({ KUBEWRIGHT_TLS_CERT_FILE: '/c', KUBEWRIGHT_TLS_KEY_FILE: '/k' }).tls).toEqual({
      cert: '/c',
      key: '/k',
    });
  });
});

describe('a secret that cannot be had', () => {
  const pipe = join(folder, 'pipe');
  spawnSync('mkfifo', [pipe]);
  mkdirSync(join(folder, 'folder'));
  const cases: [string, string, RegExp][] = [
    ['is not there', join(folder, 'absent'), /SECRET_KEY_FILE: .*absent does not exist/],
    ['is below a file', join(file('x'), 'y'), /does not exist/],
    ['is empty', file(''), /is empty/],
    ['is empty but for white space', file(' \n\n'), /is empty/],
    ['is too large', file('x'.repeat(17_000)), /is too large: 17000 bytes/],
    ['is no text', file(Buffer.from([0xff, 0xfe, 0x00])), /is not text/],
    ['has a NUL byte', file('abc\0def'), /NUL/],
    ['is a folder', join(folder, 'folder'), /is not a regular file/],
    ['is a pipe, which would block the start', pipe, /is not a regular file/],
    ['is without end', '/dev/zero', /is not a regular file/],
  ];
  it.each(cases)('%s: one sentence with the variable and the path', (_what, path, sentence) => {
    const given = { KUBEWRIGHT_SECRET_KEY_FILE: path, TEMPORAL_ADDRESS: 'temporal:7233' };
    for (const parse of [parseConfig, workerConfig]) expect(() => parse(given)).toThrow(sentence);
  });

  it('is given twice: neither is taken, and no value is shown', () => {
    const given = { KUBEWRIGHT_SECRET_KEY: KEY, KUBEWRIGHT_SECRET_KEY_FILE: file(KEY), TEMPORAL_ADDRESS: 't:1' };
    for (const parse of [parseConfig, workerConfig]) {
      expect(() => parse(given)).toThrow(/KUBEWRIGHT_SECRET_KEY and KUBEWRIGHT_SECRET_KEY_FILE are both set/);
      expect(() => parse(given)).not.toThrow(KEY);
    }
  });

  it('is reported together with all other problems, and not as missing', () => {
    const given = {
      KUBEWRIGHT_PORT: 'x',
      KUBEWRIGHT_DATABASE_URL: 'postgres://db/kw',
      KUBEWRIGHT_SECRET_KEY_FILE: '/absent',
      KUBEWRIGHT_AUDIT_KEY_FILE: '/absent/too',
    };
    expect(() => parseConfig(given)).toThrow(
      /SECRET_KEY_FILE[\s\S]*AUDIT_KEY_FILE|AUDIT_KEY_FILE[\s\S]*SECRET_KEY_FILE/,
    );
    expect(() => parseConfig(given)).toThrow(/KUBEWRIGHT_PORT/);
    expect(() => parseConfig(given)).not.toThrow(/is needed/);
  });

  it.each([
    ['without an address', {}, /needs KUBEWRIGHT_DATABASE_URL/],
    ['with one that has a password', { KUBEWRIGHT_DATABASE_URL: 'postgres://a:old@db/kw' }, /has a password already/],
    ['with one without a user', { KUBEWRIGHT_DATABASE_URL: 'postgres://db/kw' }, /has no user/],
  ])('a password of the database %s', (_what, more, sentence) => {
    const { problems } = secretEnvironment({ KUBEWRIGHT_DATABASE_PASSWORD: 'hidden', ...more });
    expect(problems.join()).toMatch(sentence);
    expect(problems.join()).not.toMatch(/hidden|old/);
  });

  it.skipIf(process.getuid?.() !== 0)('may not be read by the user of the process', () => {
    const path = file(KEY);
    chmodSync(path, 0o600);
    chmodSync(folder, 0o755);
    const script = `
      const { secretEnvironment } = await import(${JSON.stringify(join(import.meta.dirname, '../../../store/secret-environment.ts'))});
      process.setuid(10001);
      console.log(secretEnvironment({ KUBEWRIGHT_SECRET_KEY_FILE: ${JSON.stringify(path)} }).problems.join());`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout).toContain('may not be read');
  });
});
