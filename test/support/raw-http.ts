import { connect, type Socket } from 'node:net';

/** One connection on which a test writes what no HTTP client would. */
export interface RawConnection {
  socket: Socket;
  write(bytes: string | Uint8Array): void;
  /** Everything that came so far. */
  text(): string;
  /** Resolves when the other side ended or broke the connection, with everything that came. */
  closed: Promise<string>;
  close(): void;
}

export async function rawConnection(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  // A reset ends the connection as well.
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => {
    socket.once('end', () => resolve(text)).once('close', () => resolve(text));
  });
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    text: () => text,
    closed,
    close: () => socket.destroy(),
  };
}
