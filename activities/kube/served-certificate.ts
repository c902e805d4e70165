import type { RemoteHost } from '../host/types.ts';
import { clientHello, describeCertificate, greetingOf, TLS_HELLO } from './tls-hello.ts';

/** An API server reads a changed certificate at once, and compares its files once a minute in case an event of the file system was lost. */
const PATIENCE_S = 90;

/**
 * Waits on the host until its server at this IPv4 address and port has this certificate (PEM). Null: it has it, or does not show
 * one to TLS 1.2. Otherwise what it answers.
 */
export async function waitForCertificate(
  remote: RemoteHost,
  { address, port }: { address: string; port: number },
  certificate: string,
): Promise<string | null> {
  const wanted = Buffer.from(certificate.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64').toString('hex');
  const args = [String(port), clientHello(address), wanted, String(PATIENCE_S), address];
  const { code, stdout } = await remote.script(WAIT, args, { timeoutMs: (PATIENCE_S + 20) * 1000, okCodes: 'any' });
  if (code === 0) return null;
  const greeting = greetingOf(stdout.trim().split(' ')[1] ?? '');
  if (greeting.kind === 'alert') return null;
  const has = greeting.kind === 'certificate' ? describeCertificate(greeting.certificate) : stdout.slice(0, 80);
  return `port ${port} does not serve the certificate on disk, but: ${has}`;
}

const WAIT = `
deadline=$(($(date +%s) + $4))
${TLS_HELLO}
while :; do
  says=$(kw_hello "$5" "$1" "$2")
  case $says in *"$3"* | open\\ 15*) exit 0 ;; esac
  [ "$(date +%s)" -lt "$deadline" ] || break
  sleep 0.3
done
printf '%s\\n' "$says"
exit 1
`;
