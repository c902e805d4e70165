import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Credential, createCredentialResolver } from '../../../activities/host/credentials.ts';
import { testKey } from '../../fakes/ssh-server.ts';

let dir: string;
const key = testKey();
const warnings: object[] = [];
const stored: Record<string, Credential> = {
  good: { kind: 'key', privateKey: key.private },
  broken: { kind: 'key', privateKey: 'not a key' },
  password: { kind: 'password', password: 'x' },
};
const resolver = createCredentialResolver({
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

const unusable = async (ref: Parameters<typeof resolver.resolve>[0], text: RegExp) =>
  expect(resolver.resolve(ref)).rejects.toMatchObject({
    code: 'SSH_CREDENTIAL_UNUSABLE',
    message: expect.stringMatching(text),
  });

test('a key file is read, directly or through a link; others who can read it are a warning', async () => {
  const path = file('key', key.private);
  symlinkSync(path, join(dir, 'link'));
  expect(await resolver.resolve({ keyFile: join(dir, 'link') })).toEqual({ kind: 'key', privateKey: key.private });
  expect(warnings).toEqual([]);
  await resolver.resolve({ keyFile: file('open', key.private, 0o644) });
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
  expect(await resolver.resolve({ name: 'good' })).toEqual(stored.good);
  expect(await resolver.resolve({ name: 'password' })).toEqual(stored.password);
  await unusable({ name: 'none' }, /no credential named none/);
  await unusable({ name: 'broken' }, /cannot be used/);
  await expect(createCredentialResolver({}).resolve({ name: 'good' })).rejects.toMatchObject({
    code: 'SSH_CREDENTIAL_UNUSABLE',
  });
});

test('an agent is a socket', async () => {
  const path = join(dir, 'agent');
  const agent = createServer().listen(path);
  await new Promise((resolve) => agent.once('listening', resolve));
  expect(await resolver.resolve({ agent: path })).toEqual({ kind: 'agent', socket: path });
  agent.close();
  await unusable({ agent: join(dir, 'no-agent') }, /cannot be used/);
  await unusable({ agent: file('plain', '') }, /not a socket/);
});
