import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { gatherWrites } from '../../../activities/host/socket.ts';

/** A stream that records what each system call of a socket would carry. */
function recorded(): { stream: Duplex; calls: string[] } {
  const calls: string[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      calls.push(chunk.toString());
      done();
    },
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => String(chunk)).join('+'));
      done();
    },
  });
  return { stream, calls };
}

test('the pieces of a packet, and packets of one turn, leave together; the next turn is another one', async () => {
  const { stream, calls } = recorded();
  gatherWrites(stream);
  for (const piece of ['length', 'packet', 'tag', 'next']) stream.write(piece);
  await new Promise((resolve) => setImmediate(resolve));
  stream.write('later');
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toEqual(['length+packet+tag+next', 'later']);
});

test('what was written before the end is not lost, nor is an ended stream written to', async () => {
  const { stream, calls } = recorded();
  gatherWrites(stream);
  stream.write('a');
  stream.end('b');
  await new Promise((resolve) => stream.once('finish', resolve));
  expect(calls.join('')).toContain('a');
  expect(calls.join('')).toContain('b');

  const gone = recorded();
  gatherWrites(gone.stream);
  gone.stream.write('a');
  gone.stream.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  expect(gone.stream.destroyed).toBe(true);
});
