import { existsSync, readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import { type Command, Option } from 'commander';
import { type Context, contextNamed, readContexts } from './contexts.ts';
import { CLI_EXIT } from './exit-codes.ts';
import { ApiError, CliError } from './explain.ts';

/** Options of each command that asks a service. */
export interface ServerOptions {
  server?: string;
  /** Earlier name of `server`. */
  url?: string;
  tokenFile?: string;
  context?: string;
  certificateAuthority?: string;
}

/** Of one answer; the largest is a plan of 1,000 hosts, ms. A dry run may take 90 s. */
const TIMEOUT_MS = 120_000;
const DEFAULT_SERVER = 'http://127.0.0.1:8080';

/** The command with the options of a service. */
export const withServer = (command: Command): Command =>
  command
    .option('--server <url>', 'URL of the API; default: KUBEWRIGHT_URL, then that of the context')
    .addOption(new Option('--url <url>', 'earlier name of --server').hideHelp())
    .option('--token-file <file>', 'file with a token; default: KUBEWRIGHT_TOKEN, then that of the context')
    .option('--context <name>', 'context of the configuration file (kubewright config)')
    .option('--certificate-authority <file>', 'certificates (PEM) that the API is verified with');

/** Where the service is and who asks: options, then variables, then the context, then a service on this machine. Throws CliError. */
export function settingsOf({ url, ...given }: ServerOptions): Context {
  const options = { ...given, ...(given.server === undefined && url !== undefined ? { server: url } : {}) };
  const contexts = options.context === undefined && options.server !== undefined ? { contexts: {} } : readContexts();
  const name = options.context ?? contexts.current;
  const context = name === undefined ? undefined : contextNamed(contexts, name);
  const server = options.server ?? (options.context === undefined ? process.env['KUBEWRIGHT_URL'] : undefined);
  const chosen: Context = { ...context, server: server ?? context?.server ?? DEFAULT_SERVER };
  if (options.certificateAuthority !== undefined) chosen.certificateAuthority = options.certificateAuthority;
  if (options.tokenFile !== undefined) return { ...chosen, tokenFile: options.tokenFile };
  const token = process.env['KUBEWRIGHT_TOKEN'];
  if (token !== undefined && token !== '' && options.context === undefined) return { ...chosen, token };
  if (chosen.token !== undefined || chosen.tokenFile !== undefined) return chosen;
  const own = `${process.env['KUBEWRIGHT_DATA'] ?? './.kubewright'}/admin-token`;
  if (existsSync(own)) return { ...chosen, tokenFile: own };
  throw new CliError(
    'no token: give --token-file FILE, set KUBEWRIGHT_TOKEN, or make a context with kubewright config set-context',
    CLI_EXIT.usage,
  );
}

/** One service, asked as one caller. */
export interface Api {
  /** A request. Throws ApiError for what the service refuses, CliError when it does not answer. */
  request<Answer>(method: string, path: string, more?: RequestMore): Promise<Answer>;
  /** All items of a paged list. */
  all<Item>(path: string, query?: RequestMore['query']): Promise<Item[]>;
  /** Lines of a streamed answer. */
  lines(path: string, headers: Record<string, string>, signal?: AbortSignal): AsyncGenerator<string>;
}

export interface RequestMore {
  body?: object | { text: string; type: string };
  query?: Record<string, string | undefined>;
  headers?: Record<string, string>;
}

export function openApi(options: ServerOptions): Api {
  const { server, token, tokenFile, certificateAuthority } = settingsOf(options);
  if (!/^https?:\/\//.test(server)) throw new CliError(`${server} is no http:// or https:// URL`, CLI_EXIT.usage);
  if (certificateAuthority !== undefined) trust(certificateAuthority);
  const authorization = `Bearer ${token ?? readToken(tokenFile!)}`;
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(`${server.replace(/\/$/, '')}${path}`, {
      ...init,
      headers: { authorization, ...(init.headers as Record<string, string> | undefined) },
      redirect: 'error',
    }).catch((error: unknown) => {
      const cause = (error as { cause?: Error }).cause?.message ?? (error as Error).message;
      throw new CliError(`${server} does not answer: ${cause || 'no connection'}`, CLI_EXIT.unavailable, {
        cause: error,
      });
    });
    if (response.ok) return response;
    const text = await response.text();
    throw new ApiError(response.status, problemIn(text));
  };
  const request = async <Answer>(method: string, path: string, { body, query = {}, headers }: RequestMore = {}) => {
    const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
    const search = given.length === 0 ? '' : `?${new URLSearchParams(given as [string, string][]).toString()}`;
    const raw =
      body !== undefined && 'type' in body && 'text' in body ? (body as { text: string; type: string }) : null;
    const response = await send(`${path}${search}`, {
      method,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': raw?.type ?? 'application/json' }),
      },
      ...(body === undefined ? {} : { body: raw?.text ?? JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 204) return undefined as Answer;
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return (isJson ? await response.json() : await response.text()) as Answer;
  };
  return {
    request,
    async all<Item>(path: string, query: RequestMore['query'] = {}) {
      const found: Item[] = [];
      for (let cursor: string | undefined; ; ) {
        const page: { items: Item[]; next?: string | null } = await request('GET', path, {
          query: { ...query, cursor },
        });
        found.push(...page.items);
        if (page.next === null || page.next === undefined) return found;
        cursor = page.next;
      }
    },
    async *lines(path, headers, signal) {
      const response = await send(path, { headers, ...(signal ? { signal } : {}) });
      let rest = '';
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const parts = `${rest}${chunk}`.split('\n');
        rest = parts.pop()!;
        yield* parts;
      }
    },
  };
}

function problemIn(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return { detail: `the answer is no problem document: ${text.slice(0, 200)}` };
  }
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CliError(`the token cannot be read: ${(error as Error).message}`, CLI_EXIT.failed, { cause: error });
  }
}

/** `fetch` has no option for it: the certificates are added to those of this process. */
function trust(file: string): void {
  if (!('setDefaultCACertificates' in tls)) {
    throw new CliError(
      `this Node cannot take --certificate-authority: set NODE_EXTRA_CA_CERTS=${file}`,
      CLI_EXIT.usage,
    );
  }
  tls.setDefaultCACertificates([...tls.rootCertificates, readFileSync(file, 'utf8')]);
}
