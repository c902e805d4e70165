import { createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2 from 'ssh2';

/** Why a text is no key that a login can use. The message is one sentence without key material. */
export class KeyUnusable extends Error {
  override name = 'KeyUnusable';
}

/** Kinds of key by their name in SSH that current sshd takes and that need nothing but the file. */
const USABLE = /^(ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521))$/;
/** OpenSSH refuses shorter RSA keys (RequiredRSASize). */
const RSA_BITS = 1024;
/** Curves of NIST by OpenSSL's names: SSH has no others. */
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const MAKE_ONE = 'make one with ssh-keygen -t ed25519';

/** What people give in place of a private key: the first that is found names it. */
const MISTAKEN: readonly [RegExp, string][] = [
  [/-cert-v01@openssh\.com/, 'it is an OpenSSH certificate, not the private key that belongs to it'],
  [
    /^\s*(ssh-(rsa|dss|ed25519|ed448)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) /,
    'it is a public key; the private one is in the file without .pub',
  ],
  [/BEGIN ([A-Z0-9]+ )*PUBLIC KEY/, 'it is a public key, not the private one'],
  [
    /^PuTTY-User-Key-File/m,
    'it is a key in the format of PuTTY; convert it with puttygen KEY.ppk -O private-openssh -o KEY',
  ],
  [/BEGIN ([A-Z0-9]+ )*CERTIFICATE/, 'it is a certificate, not the private key that belongs to it'],
  [/BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/, 'its END line is missing: the text was cut'],
];

/** One PEM block, `-----END` line included, wherever it stands: after a certificate or what openssl prints, say. */
const BLOCK = /-----BEGIN ((?:[A-Z0-9]+ ){0,3}PRIVATE KEY)-----([\s\S]*?)-----END \1-----/;

/**
 * The private key in the text, in a form that ssh2 reads: PKCS#8 (also encrypted) is converted, line ends of Windows, spaces
 * and text around the key are taken away. Throws KeyUnusable. `passphrase` is still needed for what is not converted.
 */
export function readPrivateKey(text: string, passphrase?: string): string {
  const block = pemBlock(text);
  const [, label] = BLOCK.exec(block) ?? [];
  if (label === 'DSA PRIVATE KEY') throw new KeyUnusable(`it is a DSA key, which sshd does not take; ${MAKE_ONE}`);
  const parsed = ssh2.utils.parseKey(block, passphrase);
  if (!(parsed instanceof Error)) {
    const key = Array.isArray(parsed) ? parsed[0] : parsed;
    if (!key?.isPrivateKey()) throw new KeyUnusable('it is a public key, not the private one');
    if (!USABLE.test(key.type))
      throw new KeyUnusable(`it is a key of type ${key.type}, which no login can use; ${MAKE_ONE}`);
    if (key.type === 'ssh-rsa') requireLength(createPrivateKeyOf(key.getPrivatePEM()));
    return block;
  }
  if (label === 'OPENSSH PRIVATE KEY') throw opensshError(parsed.message, block, passphrase);
  const converted = convert(createPrivateKeyOf(block, passphrase));
  const check = ssh2.utils.parseKey(converted);
  if (check instanceof Error) throw new KeyUnusable(`it cannot be read: ${check.message}`);
  return converted;
}

/** The block with plain line ends. Keys that were put on one line, by `\n` in text or by spaces, are broken up again. */
function pemBlock(text: string): string {
  const found = BLOCK.exec(text.replaceAll('\\r', '').replaceAll('\\n', '\n'));
  if (!found) {
    // ssh2 reads what PuTTY wrote before 2021.
    const putty = text.startsWith('PuTTY-User-Key-File-2') && !(ssh2.utils.parseKey(text) instanceof Error);
    if (putty) return text;
    throw new KeyUnusable(MISTAKEN.find(([mark]) => mark.test(text))?.[1] ?? 'it holds no private key in PEM form');
  }
  const [, label = '', inside = ''] = found;
  const lines = inside.split(/[\r\n]+/).map((line) => line.trim());
  // Headers of encrypted keys (Proc-Type, DEK-Info) end with an empty line.
  const headers = lines.filter((line) => /^[A-Za-z-]+: /.test(line));
  const body = lines
    .filter((line) => !headers.includes(line))
    .join('')
    .replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(body)) throw new KeyUnusable('what is between BEGIN and END is not base64');
  const head = headers.length === 0 ? '' : `${headers.join('\n')}\n\n`;
  return `-----BEGIN ${label}-----\n${head}${body.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END ${label}-----\n`;
}

/** ssh2's own words on OpenSSH's format, as a sentence of ours. */
function opensshError(message: string, block: string, passphrase: string | undefined): KeyUnusable {
  const kind = Buffer.from(block.replace(/-----[^-]+-----|\s/g, ''), 'base64').toString('latin1');
  if (/sk-(ssh|ecdsa)/.test(kind)) {
    return new KeyUnusable('it is the handle of a key on a security token, which must be touched for each login');
  }
  if (passphrase === undefined && /passphrase/i.test(message)) return locked();
  if (/passphrase|integrity|unable to authenticate/i.test(message)) return wrongPassphrase();
  if (/initialization vector|cipher/i.test(message)) {
    return new KeyUnusable('its cipher is not supported; change it with ssh-keygen -p -Z aes256-ctr -f KEY');
  }
  if (/unsupported (open)?ssh key type|ssh-dss|ed448/i.test(message)) {
    return new KeyUnusable(`it is of a type that no login can use; ${MAKE_ONE}`);
  }
  return new KeyUnusable(`it is damaged or incomplete (${message})`);
}

const locked = () => new KeyUnusable('it is encrypted, and the credential has no passphrase');
const wrongPassphrase = () => new KeyUnusable('the passphrase does not open it');

function createPrivateKeyOf(pem: string, passphrase?: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    const { message = '', code = '' } = error as { message?: string; code?: string };
    const encrypted = /ENCRYPTED/.test(pem);
    if (encrypted && passphrase === undefined) throw locked();
    if (encrypted && /EVP_UNSUPPORTED/.test(code)) {
      throw new KeyUnusable('its encryption is too old; convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc');
    }
    // One wrong passphrase of some 270 gives a valid padding by chance; what is decrypted is then no key (DECODER, unsupported).
    if (encrypted && /decrypt|passphrase|password|interrupted|decoder/i.test(`${message} ${code}`)) {
      throw wrongPassphrase();
    }
    throw new KeyUnusable(`it is damaged or incomplete (${code || 'not a key'})`);
  }
}

function convert(key: KeyObject): string {
  const { namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      requireLength(key);
      return key.export({ type: 'pkcs1', format: 'pem' }).toString();
    case 'ec':
      if (!CURVES.has(namedCurve)) {
        throw new KeyUnusable(`it is on the curve ${namedCurve}, which SSH does not have; ${MAKE_ONE}`);
      }
      return key.export({ type: 'sec1', format: 'pem' }).toString();
    case 'ed25519':
      return opensshEd25519(key);
    default: {
      const type = key.asymmetricKeyType ?? 'unknown';
      throw new KeyUnusable(`it is a key of type ${type}, which no login can use; ${MAKE_ONE}`);
    }
  }
}

function requireLength(key: KeyObject): void {
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS) {
    throw new KeyUnusable(
      `it is an RSA key of ${modulusLength} bits, and sshd takes none below ${RSA_BITS}; ${MAKE_ONE}`,
    );
  }
}

/** OpenSSH's own format (PROTOCOL.key), not encrypted: there is no other for Ed25519 that ssh2 reads. */
function opensshEd25519(key: KeyObject): string {
  const { d = '', x = '' } = key.export({ format: 'jwk' });
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const type = field('ssh-ed25519');
  const shown = Buffer.concat([type, field(point)]);
  // Two equal numbers, by which a reader sees that decryption worked; then padding 1, 2, 3 ... to the block size.
  const inner = Buffer.concat([Buffer.alloc(8), type, field(point), field(Buffer.concat([seed, point])), field('')]);
  const padding = Buffer.from(Array.from({ length: (8 - (inner.length % 8)) % 8 }, (_, index) => index + 1));
  const one = Buffer.from([0, 0, 0, 1]);
  const blob = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[field('none'), field('none'), field(''), one, field(shown), field(Buffer.concat([inner, padding]))],
  ]);
  const lines = blob.toString('base64').replace(/(.{70})(?=.)/g, '$1\n');
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** A string of SSH: its length in four bytes, then its bytes. */
function field(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
