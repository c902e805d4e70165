import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { canonicalJson } from '../../../store/canonical.ts';
import { openKeyring, parseKeyring } from '../../../store/keyring.ts';
import { testKey } from './journal-contract.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-keyring-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('the first start makes a key file, the next ones find it', () => {
  const first = openKeyring(folder);
  expect(statSync(join(folder, 'secret.key')).mode & 0o777).toBe(0o600);
  expect(openKeyring(folder).currentId).toBe(first.currentId);
  expect(readdirSync(folder)).toEqual(['secret.key']);
});

it('a renewed key is seen by every process that has the file open; the earlier ones open until they are dropped', () => {
  const [one, other] = [openKeyring(folder), openKeyring(folder)];
  const first = one.currentId;
  one.file!.renew();
  const second = other.currentId;
  expect(second).not.toBe(first);
  expect(other.ids).toEqual([second, first]);
  expect(other.key(first)).toHaveLength(32);
  expect(statSync(join(folder, 'secret.key')).mode & 0o777).toBe(0o600);
  other.file!.keepCurrent();
  expect(one.ids).toEqual([second]);
  expect(one.key(first)).toBeUndefined();
  expect(readdirSync(folder)).toEqual(['secret.key']);
  rmSync(join(folder, 'secret.key'));
  expect(one.currentId).toBe(second);
});

it('a given key makes no file; the first of several seals', () => {
  const ring = openKeyring(folder, `${testKey(2)}, ${testKey(1)}`);
  expect(readdirSync(folder)).toEqual([]);
  expect(ring.currentId).toBe(parseKeyring(testKey(2)).currentId);
  expect(ring.key(parseKeyring(testKey(1)).currentId)).toBeDefined();
});

it.each(['short', '', Buffer.alloc(31).toString('base64')])('refuses the key %j', (text) => {
  expect(() => parseKeyring(text)).toThrow(expect.objectContaining({ code: 'SECRET_UNREADABLE' }));
});

it('canonical JSON sorts keys at every depth and keeps lists in order', () => {
  expect(canonicalJson({ b: [{ z: 1, a: undefined }, 2], a: null })).toBe('{"a":null,"b":[{"z":1},2]}');
});
