import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { KubeAccess } from './kube-client.ts';
import { type WriterReport, writerReport } from './writer.ts';

/** What client.ts prints, a line each: another kept connection, and at the end the report. */
const event = z.union([z.object({ server: z.string() }), z.object({ report: writerReport })]);

export interface OutsideOptions {
  access: KubeAccess;
  /** A namespace that exists. */
  namespace: string;
  /** Begins the names of its objects. */
  prefix: string;
  /** The command that client.ts is run with: `nsenter` for a client on a host. Default: on this machine. */
  within?: readonly string[];
}

/** A client that writes through the endpoint of the API servers, in a process of its own. */
export class OutsideClient {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #report: WriterReport | undefined;
  #server: string | undefined;

  private constructor({ access, namespace, prefix, within = [] }: OutsideOptions) {
    const [command, ...args] = [...within, process.execPath, join(import.meta.dirname, 'client.ts')];
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin!.write(`${JSON.stringify({ access, namespace, prefix })}\n`);
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => {
      const said = event.parse(JSON.parse(line));
      if ('report' in said) this.#report = said.report;
      else this.#server = said.server;
    });
    this.#ended = once(lines, 'close').then(() => undefined);
  }

  /** Starts it; resolves when it has its kept connection. Throws when it ends before. */
  static async start(options: OutsideOptions): Promise<OutsideClient> {
    const client = new OutsideClient(options);
    while (client.#server === undefined) {
      if (client.#child.exitCode !== null) throw new Error(`the client ended with ${client.#child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return client;
  }

  /** SHA-256 fingerprint of the certificate of the API server that its kept connection leads to. */
  get server(): string {
    return this.#server ?? '';
  }

  /** Ends it. Throws when it cannot report. */
  async stop(): Promise<WriterReport> {
    this.#child.stdin!.end();
    await this.#ended;
    if (this.#report === undefined) throw new Error('the client ended without a report');
    return this.#report;
  }

  /** Ends it without a report, where the bench itself has failed. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
