import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** How much of an answer from elsewhere is taken, and of what kind. */
export interface Bounds {
  /** Bytes of the body. */
  maxBytes: number;
  /** From the beginning of the first request to the end of the last body, ms. */
  timeoutMs: number;
  /** Media types that are taken; an answer without one is. Absent: any. */
  types?: readonly string[] | undefined;
  /**
   * Where a redirect may lead: to the same scheme, host and port, or to any https address. The latter only for addresses
   * of our own catalogue, whose publishers send their readers on.
   */
  redirects: 'same-origin' | 'https';
  /** The forward proxy for https addresses, with its login. Absent: none, whatever the environment says. */
  proxy?: string | undefined;
  signal?: AbortSignal | undefined;
}

const REDIRECTS = 3;
/**
 * Addresses that serve no published files: link-local ones, where clouds answer with the credentials of a machine, and
 * those of no machine.
 */
const REFUSED_RANGES: ReadonlySet<string> = new Set(['linkLocal', 'unspecified', 'multicast', 'broadcast']);

const LATE = 'no whole answer in time';

/** Why nothing could be read, in words of ours: nothing that the other side said is in them. */
export class OutsideError extends Error {}

/**
 * Read a small file over http or https as text. Nothing of the answer is in an error: the address may be a person's
 * choice, and lead where only we get. Throws OutsideError.
 */
export async function boundedGet(url: string, bounds: Bounds): Promise<string> {
  const timeout = AbortSignal.timeout(bounds.timeoutMs);
  const signal = bounds.signal ? AbortSignal.any([bounds.signal, timeout]) : timeout;
  let address = parsed(url);
  for (let redirects = 0; ; redirects += 1) {
    const answer = await answerOf(address, signal, bounds.proxy);
    try {
      const { statusCode = 0, headers } = answer;
      if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
        if (redirects >= REDIRECTS) throw new OutsideError(`more than ${REDIRECTS} redirects`);
        address = redirected(address, headers.location, bounds.redirects);
        continue;
      }
      if (statusCode !== 200) throw new OutsideError(`HTTP ${statusCode}`);
      const body = await bodyOf(answer, bounds);
      // One that ends with its connection ends with our giving up, too.
      if (signal.aborted) throw new OutsideError(LATE);
      return body;
    } catch (error) {
      throw describe(error, signal);
    } finally {
      answer.destroy();
    }
  }
}

function parsed(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (!address || !['http:', 'https:'].includes(address.protocol)) throw new OutsideError('no http or https address');
  return address;
}

function redirected(from: URL, location: string, allowed: Bounds['redirects']): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  const fits = allowed === 'same-origin' ? to?.origin === from.origin : to?.protocol === 'https:';
  if (!to || !fits) throw new OutsideError('a redirect to another host, which is not followed');
  return to;
}

async function answerOf(address: URL, signal: AbortSignal, proxy: string | undefined): Promise<IncomingMessage> {
  const host = address.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isRefused(host)) throw new OutsideError('an address of no file server');
  const get = address.protocol === 'https:' ? httpsGet : httpGet;
  const agent = proxy === undefined ? false : new HttpsAgent({ proxyEnv: { HTTPS_PROXY: proxy } });
  try {
    return await new Promise((resolve, reject) => {
      const headers = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'kubewright' };
      get(address, { agent, headers, signal, lookup, maxHeaderSize: 16_384 }, resolve)
        .once('error', reject)
        // Another protocol in the place of an answer: Node only closes the connection, without a word to us.
        .once('upgrade', (_answer, socket) => socket.destroy())
        .once('close', () => reject(new OutsideError('no answer of HTTP')));
    });
  } catch (error) {
    throw describe(error, signal);
  }
}

/** A name that leads to such an address is refused with it, at the moment of connecting: no second look-up can differ. */
function lookup(
  host: string,
  options: LookupOptions,
  done: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void,
): void {
  dnsLookup(host, { ...options, all: true }, (error, found) => {
    if (error) return done(error, []);
    if (found.length === 0 || found.some(({ address }) => isRefused(address))) {
      return done(new OutsideError('an address of no file server'), []);
    }
    if (options.all === true) return done(null, found);
    done(null, found[0]!.address, found[0]!.family);
  });
}

const isRefused = (ip: string): boolean => !ipaddr.isValid(ip) || REFUSED_RANGES.has(ipaddr.process(ip).range());

async function bodyOf(answer: IncomingMessage, { maxBytes, types }: Bounds): Promise<string> {
  const { headers } = answer;
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  if (types && type !== '' && !types.includes(type.trim().toLowerCase())) {
    throw new OutsideError('a media type that is not expected');
  }
  if (!['', 'identity'].includes(headers['content-encoding'] ?? '')) throw new OutsideError('a compressed answer');
  const tooLarge = new OutsideError(`more than ${maxBytes} bytes`);
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge;
    chunks.push(chunk);
  }
  if (!answer.complete) throw new OutsideError('the answer ended too early');
  return Buffer.concat(chunks).toString('utf8');
}

/** Codes of Node's errors are its own words; messages may quote. */
function describe(error: unknown, signal: AbortSignal): OutsideError {
  if (error instanceof OutsideError) return error;
  if (signal.aborted) return new OutsideError(LATE);
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return new OutsideError(/^[A-Z0-9_]{1,40}$/.test(code) ? `no answer (${code})` : 'no answer');
}
