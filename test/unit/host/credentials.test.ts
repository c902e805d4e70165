import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Credential, createCredentialResolver } from '../../../activities/host/credentials.ts';
import type { KubewrightError } from '../../../contracts/errors.ts';
import type { CredentialRef } from '../../../contracts/host.ts';
import { testKey } from '../../fakes/ssh-server.ts';

let dir: string;
const key = testKey();
const warnings: object[] = [];
const stored: Record<string, Credential> = {
  good: { kind: 'key', privateKey: key.private },
  broken: { kind: 'key', privateKey: 'not a key' },
  password: { kind: 'password', password: 'x' },
};
const use = (credential: CredentialRef) =>
  ({ credential, address: '10.0.0.1', port: 22, user: 'root', via: null, hostKey: null }) as const;
const resolver = createCredentialResolver({
  approved: () => Promise.resolve(true),
  named: async (name) => stored[name] ?? null,
  logger: { debug: () => {}, warn: (details) => warnings.push(details) },
});

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'kubewright-credentials-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, content: string, mode = 0o600): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const open = (ref: CredentialRef) => resolver.resolve('test', use(ref));
const unusable = async (ref: CredentialRef, text: RegExp) =>
  expect(open(ref)).rejects.toMatchObject({
    code: 'SSH_CREDENTIAL_UNUSABLE',
    message: expect.stringMatching(text),
  });

test('a key file is read, directly or through a link; others who can read it are a warning', async () => {
  const path = file('key', key.private);
  symlinkSync(path, join(dir, 'link'));
  expect(await open({ keyFile: join(dir, 'link') })).toEqual({ kind: 'key', privateKey: key.private });
  expect(warnings).toEqual([]);
  await open({ keyFile: file('open', key.private, 0o644) });
  expect(warnings).toEqual([{ path: join(dir, 'open'), mode: '644' }]);
});

test('what is no private key file is refused with the reason, never with its content', async () => {
  await unusable({ keyFile: join(dir, 'missing') }, /cannot be read/);
  await unusable({ keyFile: dir }, /not a regular file/);
  await unusable({ keyFile: file('large', 'x'.repeat(70_000)) }, /too large/);
  await unusable({ keyFile: file('text', 'root:$6$secret') }, /cannot be used: (?!.*secret)/);
  await unusable({ keyFile: file('public', key.public) }, /public key/);
  const locked = testKey('ed25519', 'pass').private;
  await unusable({ keyFile: file('locked', locked) }, /passphrase|[Ee]ncrypted/);
});

test('named credentials come from the store', async () => {
  expect(await open({ name: 'good' })).toEqual(stored.good);
  expect(await open({ name: 'password' })).toEqual(stored.password);
  await unusable({ name: 'none' }, /no credential named none/);
  await unusable({ name: 'broken' }, /cannot be used/);
  await expect(createCredentialResolver({}).resolve('test', use({ name: 'good' }))).rejects.toMatchObject({
    code: 'SSH_CREDENTIAL_UNUSABLE',
  });
});

test('an agent is a socket', async () => {
  const path = join(dir, 'agent');
  const agent = createServer().listen(path);
  await new Promise((resolve) => agent.once('listening', resolve));
  expect(await open({ agent: path })).toEqual({ kind: 'agent', socket: path });
  agent.close();
  await unusable({ agent: join(dir, 'no-agent') }, /cannot be read/);
  await unusable({ agent: file('plain', '') }, /not a socket/);
});

test('files and sockets of the worker need an approval or an allowed path, and links lead nowhere else', async () => {
  const allowed = join(dir, 'allowed');
  mkdirSync(join(allowed, 'deep'), { recursive: true });
  file('allowed/key', key.private);
  file('outside', key.private);
  symlinkSync(join(dir, 'outside'), join(allowed, 'escape'));
  symlinkSync(join(allowed, 'key'), join(dir, 'inwards'));
  symlinkSync('key', join(allowed, 'near'));
  mkdirSync(join(dir, 'allowed-not'));
  file('allowed-not/key', key.private);
  const strict = createCredentialResolver({ paths: [allowed] });
  const opened = { kind: 'key', privateKey: key.private };
  for (const path of ['allowed/key', 'allowed/near', 'inwards']) {
    expect(await strict.resolve('test', use({ keyFile: join(dir, path) }))).toEqual(opened);
  }
  const messages: string[] = [];
  for (const path of ['outside', 'allowed/escape', 'allowed-not/key', 'allowed/missing', 'missing', 'allowed']) {
    for (const ref of [{ keyFile: join(dir, path) }, { agent: join(dir, path) }]) {
      const error = await strict.resolve('test', use(ref)).then(
        () => Promise.reject(new Error(`${path} was opened`)),
        (refused: KubewrightError) => refused,
      );
      expect(error.code).toBe('SSH_CREDENTIAL_UNUSABLE');
      if (path !== 'allowed') messages.push(`${error.message.replace(join(dir, path), 'X')} ${String(error.evidence)}`);
    }
  }
  // Existing and missing files get the same answer.
  expect(new Set(messages).size).toBe(1);
  const none = createCredentialResolver({});
  await expect(none.check!('test', use({ keyFile: join(allowed, 'key') }))).rejects.toMatchObject({
    code: 'SSH_CREDENTIAL_UNUSABLE',
  });
});
