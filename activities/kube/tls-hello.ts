import { X509Certificate } from 'node:crypto';

/**
 * Who answers at an address, asked with nothing but bash: a TLS 1.2 ClientHello, to which a server sends its certificate before
 * anything is encrypted. A host that is to be built has neither openssl nor curl for sure.
 */

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u24 = (value: number): Buffer => Buffer.concat([u8(value >> 16), u16(value & 0xffff)]);
const counted16 = (...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u16(body.length), body]);
};
const list16 = (values: readonly number[]): Buffer => counted16(...values.map(u16));
const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), counted16(body)]);

const HANDSHAKE = 22;
const ALERT = 21;
const CERTIFICATE = 11;

/** Suites of TLS 1.2 with forward secrecy, then RSA for old servers (IANA registry of TLS cipher suites). */
const SUITES = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035];
/** x25519, secp256r1, secp384r1, secp521r1. */
const GROUPS = [0x001d, 0x0017, 0x0018, 0x0019];
/** ECDSA, RSA-PSS and PKCS#1 with SHA-2, Ed25519, then SHA-1. */
const SIGNATURES = [
  ...[0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0807],
  ...[0x0203, 0x0201],
];

/** A ClientHello for this server as hexadecimal digits. Nothing is encrypted with it, so its random bytes are fixed. Pure. */
export function clientHello(host: string): string {
  const isName = !/^[0-9.]+$/.test(host);
  const name = Buffer.from(host);
  const extensions = [
    ...(isName ? [extension(0, counted16(u8(0), counted16(name)))] : []),
    extension(10, list16(GROUPS)),
    extension(11, Buffer.from([1, 0])),
    extension(13, list16(SIGNATURES)),
  ];
  const body = Buffer.concat([
    ...[u16(0x0303), Buffer.alloc(32, 0x4b), u8(0)],
    ...[list16(SUITES), Buffer.from([1, 0]), counted16(...extensions)],
  ]);
  const message = Buffer.concat([u8(1), u24(body.length), body]);
  return Buffer.concat([u8(HANDSHAKE), u16(0x0301), counted16(message)]).toString('hex');
}

/**
 * Lines of sh that define `kw_hello ADDRESS PORT HELLO`: prints `open` and, after a space, what the server sends in hexadecimal
 * digits up to the end of its greeting; or `refused`, `silent` (no connection within 5 s), `unreachable`.
 */
export const TLS_HELLO = `
kw_hello() {
  kw_says=$(timeout 6 bash -c '
    exec 3<>"/dev/tcp/$0/$1"
    exec 2>/dev/null
    printf "open "
    trap "" PIPE
    printf "$(printf %s "$2" | sed "s/../\\\\\\\\x&/g")" >&3 || exit 0
    take() { dd bs=1 count="$1" status=none <&3 | od -An -v -tx1 | tr -d " \\n"; }
    got=
    while [ \${#got} -lt 60000 ]; do
      head=$(take 5)
      printf %s "$head"
      [ \${#head} = 10 ] || break
      case $head in
        1[56]03*) ;;
        *) timeout 1 dd bs=1 count=120 status=none <&3 | od -An -v -tx1 | tr -d " \\n"; break ;;
      esac
      body=$(take $((16#\${head#??????})))
      printf %s "$body"
      got=$got$body
      # An alert, or the end of the greeting.
      case $head$got in 15* | *0e000000) break ;; esac
    done' "$1" "$2" "$3" 2>&1) || :
  case $kw_says in
    open*) printf '%s\\n' "$kw_says" | tail -n 1 ;;
    *refused*) echo refused ;;
    *[Nn]o\\ route* | *unreachable*) echo unreachable ;;
    *) echo silent ;;
  esac
}
`;

/** What a server sent. */
export type Greeting =
  | { kind: 'certificate'; certificate: X509Certificate }
  /** TLS, without a certificate: an alert by its number (RFC 8446, section 6). */
  | { kind: 'alert'; code: number }
  /** It closed the connection, or said nothing. */
  | { kind: 'nothing' }
  /** Not TLS: its first line. */
  | { kind: 'other'; text: string };

/** The answer to a ClientHello. Pure. */
export function greetingOf(hex: string): Greeting {
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.length === 0) return { kind: 'nothing' };
  const messages: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 3);
    const body = bytes.subarray(at + 5, at + 5 + length);
    if (bytes[at] === ALERT && bytes[at + 1] === 3) return { kind: 'alert', code: body[1] ?? 0 };
    if (bytes[at] !== HANDSHAKE || bytes[at + 1] !== 3) break;
    messages.push(body);
    at += 5 + length;
  }
  const flight = Buffer.concat(messages);
  for (let at = 0; at + 4 <= flight.length; ) {
    const length = flight.readUIntBE(at + 1, 3);
    if (flight[at] === CERTIFICATE && at + 10 <= flight.length) {
      const size = flight.readUIntBE(at + 7, 3);
      try {
        return { kind: 'certificate', certificate: new X509Certificate(flight.subarray(at + 10, at + 10 + size)) };
      } catch {
        return { kind: 'other', text: 'a certificate that cannot be read' };
      }
    }
    at += 4 + length;
  }
  if (messages.length > 0) return { kind: 'other', text: 'TLS without a certificate' };
  const [line = ''] = bytes.toString('latin1').split(/[\r\n]/);
  return { kind: 'other', text: `no TLS: ${JSON.stringify(line.replace(/[^ -~]/g, '.').slice(0, 80))}` };
}

/** Who a certificate says that it is, in one line. */
export function describeCertificate({ subject, issuer, fingerprint256, validTo }: X509Certificate): string {
  const line = (text: string | undefined) =>
    (text ?? '').split('\n').filter(Boolean).join(', ').slice(0, 200) || 'empty';
  return `subject ${line(subject)}; issuer ${line(issuer)}; valid until ${validTo}; SHA-256 fingerprint ${fingerprint256}`;
}

/** Is it the certificate of an API server (identities.ts) of this authority (PEM)? Kubelets have some of it as well. */
export const isApiServer = (certificate: X509Certificate, ca: string): boolean =>
  certificate.subject.split('\n').includes('CN=kube-apiserver') &&
  certificate.verify(new X509Certificate(ca).publicKey);
