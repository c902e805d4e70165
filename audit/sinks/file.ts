import { open } from 'node:fs/promises';
import type { AnchorSink } from './sink.ts';

/**
 * Appends each anchor as a line, and returns once the disk has it. Meant for a file that the database's administrator
 * cannot write: another machine's disk, or one with the append-only attribute (`chattr +a`).
 */
export function fileSink(path: string): AnchorSink {
  return {
    name: `file:${path}`,
    async send(entries) {
      // Opened anew each time: rotation by renaming just works.
      const file = await open(path, 'a+', 0o600);
      try {
        const { size } = await file.stat();
        // A write that was cut off leaves half a line: ours begin on one of their own.
        const torn = size > 0 && (await file.read(Buffer.alloc(1), 0, 1, size - 1)).buffer[0] !== 10;
        await file.appendFile(`${torn ? '\n' : ''}${entries.map((entry) => `${entry}\n`).join('')}`);
        await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}
