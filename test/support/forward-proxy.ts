import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** A forward proxy as companies have them: absolute addresses for http, CONNECT for https, Basic login if wanted. */
export class ForwardProxy {
  readonly #server = createServer({ keepAlive: true });
  readonly #sockets = new Set<Duplex>();
  readonly #login: string | undefined;
  /** `host:port` of everything that was let through, in order. */
  readonly reached: string[] = [];
  /** Requests without the right login. */
  refused = 0;

  /** `login`: `user:password`, in clear text. */
  constructor(login?: string) {
    this.#login = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
    this.#server.on('connection', (socket) => this.#keep(socket));
    this.#server.on('request', (request, response) => this.#forward(request, response));
    this.#server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#tunnel(request, socket, head),
    );
  }

  /** Listens on a port of the kernel's choice; answers with it. */
  async listen(address: string): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, address, resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #allows({ headers }: IncomingMessage): boolean {
    if (this.#login === undefined || headers['proxy-authorization'] === this.#login) return true;
    this.refused += 1;
    return false;
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const refuse = (code: number) => response.writeHead(code, { 'proxy-authenticate': 'Basic realm="test"' }).end();
    if (!this.#allows(request)) return void refuse(407);
    const url = URL.canParse(request.url ?? '') ? new URL(request.url!) : null;
    if (url?.protocol !== 'http:') return void refuse(400);
    this.reached.push(`${url.hostname}:${url.port || '80'}`);
    const { 'proxy-authorization': _login, 'proxy-connection': _kept, ...headers } = request.headers;
    const onward = httpRequest(url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => (response.headersSent ? response.destroy() : refuse(502)));
    request.pipe(onward);
  }

  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#keep(socket);
    if (!this.#allows(request)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\n\r\n');
      return;
    }
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? [];
    this.reached.push(`${host}:${port}`);
    const onward: Socket = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    this.#keep(onward);
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
  }
}
