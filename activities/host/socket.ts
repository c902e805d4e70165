import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * A TCP connection, or an error with the system's code. `timeoutMs` bounds the connecting alone: a dead host is known by
 * its silence there, long before a slow login would be over.
 */
export function openSocket(address: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port });
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
 * Calls `silent` when nothing at all came for `count` whole intervals; any byte counts, for replies to keepalives wait
 * behind a large upload. Counts intervals rather than time: a worker that was stopped for a while must first read what
 * came meanwhile.
 */
export function watchSilence(stream: Duplex, everyMs: number, count: number, silent: () => void): void {
  let quiet = 0;
  stream.on('data', () => {
    quiet = -1;
  });
  const timer = setInterval(() => {
    quiet += 1;
    if (quiet <= count) return;
    clearInterval(timer);
    silent();
  }, everyMs).unref();
  stream.once('close', () => clearInterval(timer));
}
