import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { describe, expect, test } from 'vitest';
import { KeyUnusable, readPrivateKey } from '../../../activities/host/private-key.ts';
import { testKey } from '../../fakes/ssh-server.ts';

const PASSPHRASE = 'correct horse';
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const KEYS: Readonly<Record<string, KeyObject>> = {
  'ssh-rsa': generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'ecdsa-sha2-nistp256': ec('prime256v1'),
  'ecdsa-sha2-nistp384': ec('secp384r1'),
  'ecdsa-sha2-nistp521': ec('secp521r1'),
  'ssh-ed25519': generateKeyPairSync('ed25519').privateKey,
};
const pkcs8 = (key: KeyObject, passphrase?: string) =>
  key.export({ type: 'pkcs8', format: 'pem', ...(passphrase ? { cipher: 'aes-256-cbc', passphrase } : {}) }).toString();

test('every wrong passphrase gets the same answer, also one that decrypts to a valid padding by chance', () => {
  const key = pkcs8(KEYS['ssh-ed25519']!, PASSPHRASE);
  const answers = new Set(Array.from({ length: 1_500 }, (_, index) => why(key, `wrong ${index}`)));
  expect([...answers]).toEqual(['the passphrase does not open it']);
});

/** The key that a login would use. */
function used(text: string, passphrase?: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(readPrivateKey(text, passphrase), passphrase) as ParsedKey | ParsedKey[];
  return Array.isArray(parsed) ? parsed[0]! : parsed;
}
function why(text: string, passphrase?: string): string {
  try {
    readPrivateKey(text, passphrase);
  } catch (error) {
    expect(error).toBeInstanceOf(KeyUnusable);
    return (error as Error).message;
  }
  throw new Error('the key was taken');
}

describe.each(Object.entries(KEYS))('a key of type %s', (type, key) => {
  const text = pkcs8(key);
  const forms: [string, string, string?][] = [
    ['PKCS#8', text],
    ['encrypted PKCS#8', pkcs8(key, PASSPHRASE), PASSPHRASE],
    ['line ends of Windows', text.replaceAll('\n', '\r\n')],
    ['no last line end', text.trim()],
    ['spaces at the ends of lines, and a byte order mark', `\ufeff ${text.replaceAll('\n', '  \n ')}`],
    ['all on one line', text.trim().replaceAll('\n', ' ')],
    ['line ends written as \\n', text.replaceAll('\n', '\\n')],
    [
      'after a certificate and bag attributes',
      `Bag Attributes\n-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n${text}`,
    ],
  ];
  test.each(forms)('in the form %s signs as the key itself', (_form, given, passphrase) => {
    const read = used(given, passphrase);
    expect(read.type).toBe(type);
    expect(read.verify('data', used(text).sign('data') as Buffer)).toBe(true);
  });

  test('that is encrypted needs its passphrase', () => {
    expect(why(pkcs8(key, PASSPHRASE))).toMatch(/encrypted, and the credential has no passphrase/);
    expect(why(pkcs8(key, PASSPHRASE), 'wrong')).toMatch(/passphrase does not open it/);
  });
});

test('the older forms of PEM, encrypted too, and the format of OpenSSH stay readable', () => {
  const rsa = KEYS['ssh-rsa']!;
  const old = { format: 'pem', cipher: 'aes-128-cbc', passphrase: PASSPHRASE } as const;
  expect(used(rsa.export({ type: 'pkcs1', format: 'pem' }).toString()).type).toBe('ssh-rsa');
  const encrypted = rsa.export({ type: 'pkcs1', ...old }).toString();
  expect(used(encrypted.replaceAll('\n', '\r\n'), PASSPHRASE).type).toBe('ssh-rsa');
  expect(why(encrypted)).toMatch(/no passphrase/);
  expect(why(encrypted, 'wrong')).toMatch(/does not open/);
  const p384 = KEYS['ecdsa-sha2-nistp384']!.export({ type: 'sec1', format: 'pem' }).toString();
  const params = '-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n';
  expect(used(`${params}${p384}`).type).toBe('ecdsa-sha2-nistp384');
  const openssh = testKey().private;
  expect(used(openssh.replaceAll('\n', '\r\n').trim()).type).toBe('ssh-ed25519');
  const locked = testKey('ed25519', PASSPHRASE).private;
  expect(used(locked, PASSPHRASE).type).toBe('ssh-ed25519');
  expect(why(locked)).toMatch(/no passphrase/);
  expect(why(locked, 'wrong')).toMatch(/does not open/);
});

test('what cannot be used is named in one sentence without the key', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 768 }).privateKey;
  const dsa = generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }).privateKey;
  const refused: [string, RegExp][] = [
    [pkcs8(dsa), /type dsa.*ssh-keygen -t ed25519/],
    ['-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----', /DSA key, which sshd does not take/],
    [pkcs8(generateKeyPairSync('ed448').privateKey), /type ed448/],
    [pkcs8(generateKeyPairSync('x25519').privateKey), /type x25519/],
    [pkcs8(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey), /type rsa-pss/],
    [pkcs8(ec('secp256k1')), /curve secp256k1/],
    [pkcs8(small), /RSA key of 768 bits/],
    [testKey().public, /public key; the private one is in the file without \.pub/],
    ['ssh-ed25519-cert-v01@openssh.com AAAA', /OpenSSH certificate/],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /public key/],
    ['---- BEGIN SSH2 PUBLIC KEY ----\nAAAA', /public key/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /certificate/],
    ['PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none', /PuTTY.*puttygen/],
    [pkcs8(KEYS['ssh-rsa']!).slice(0, 400), /END line is missing/],
    ['-----BEGIN PRIVATE KEY-----\n§§§\n-----END PRIVATE KEY-----', /not base64/],
    ['-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----', /damaged/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----', /damaged/],
    ['secret', /no private key in PEM form/],
    ['', /no private key in PEM form/],
  ];
  for (const [text, says] of refused) {
    const message = why(text);
    expect(message).toMatch(says);
    expect(message).not.toMatch(/secret|c2VjcmV0|\n/);
    expect(message.length).toBeLessThan(160);
  }
});
