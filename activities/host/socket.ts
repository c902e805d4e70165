import { type LookupAddress, lookup } from 'node:dns';
import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** A name resolved to addresses of which none may be connected to. */
export class AddressRefused extends Error {
  override name = 'AddressRefused';
}

/**
 * A TCP connection, or an error with the system's code. `timeoutMs` bounds the connecting alone: a dead host is known by
 * its silence there, long before a slow login would be over. With `allows` a name is connected to those of its addresses
 * only that are allowed, just as they were compared; throws AddressRefused when there is none.
 */
export function openSocket(
  address: string,
  port: number,
  timeoutMs: number,
  allows?: (ip: string) => boolean,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port, ...(allows ? { lookup: allowedOnly(allows) } : {}) });
    const timer = setTimeout(() => socket.destroy(new Error(`connecting timed out after ${timeoutMs} ms`)), timeoutMs);
    // Stays: the socket may break while it waits for its turn to log in, and an unheard `error` ends the worker.
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      // Nagle's algorithm costs up to 40 ms for each small packet that follows another.
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/**
 * What is written to the stream in one turn of the event loop goes out in one system call. ssh2 writes each packet in
 * three pieces, and with Nagle's algorithm off each piece would be a TCP segment that wakes the other side.
 */
export function gatherWrites(stream: Duplex): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let gathering = false;
  stream.write = (...args: unknown[]): boolean => {
    if (!gathering) {
      gathering = true;
      stream.cork();
      process.nextTick(() => {
        gathering = false;
        stream.uncork();
      });
    }
    return write(...args);
  };
}

/** Resolves as Node does, and leaves out what is not allowed. */
function allowedOnly(allows: (ip: string) => boolean): LookupFunction {
  return (name, options, done) => {
    lookup(name, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return done(error, '');
      const allowed = found.filter(({ address }) => allows(address));
      const [first] = allowed;
      if (!first) return done(new AddressRefused(`${name} resolves to no allowed address`), '');
      return options.all ? done(null, allowed) : done(null, first.address, first.family);
    });
  };
}

/**
 * Calls `onSilence` when nothing at all came for `count` whole intervals; any byte counts, for replies to keepalives wait
 * behind a large upload. Counts intervals rather than time: a worker that was stopped for a while must first read what
 * came meanwhile. The first byte may take `firstMs` longer.
 */
export function watchSilence(
  stream: Duplex,
  { everyMs, count, firstMs }: { everyMs: number; count: number; firstMs: number },
  onSilence: () => void,
): void {
  let idle = -Math.ceil(firstMs / everyMs);
  stream.on('data', () => {
    idle = -1;
  });
  const timer = setInterval(() => {
    idle += 1;
    if (idle <= count) return;
    clearInterval(timer);
    onSilence();
  }, everyMs).unref();
  stream.once('close', () => clearInterval(timer));
}
