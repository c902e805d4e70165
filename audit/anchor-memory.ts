import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What a process that signs remembers outside the database, beside the signing key. */
const memory = z.object({
  /** The newest anchor that it signed or saw: when the database no longer has it, an older state was put back. */
  n: z.int().min(0),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** The newest anchor that each external sink has. */
  delivered: z.record(z.string().max(2_000), z.int().min(0)),
});
export type AnchorMemory = z.infer<typeof memory>;

/** The file in the data directory. An operator who restores an older database on purpose removes it. */
export const ANCHOR_MEMORY_FILE = 'anchors.json';

/** Null: there is none. Throws when it is there and cannot be read: without it nothing shows that the database went back. */
export function readAnchorMemory(dataDir: string): AnchorMemory | null {
  const file = join(dataDir, ANCHOR_MEMORY_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return memory.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${file} cannot be read; put back a copy, or remove it when the database was restored on purpose`, {
      cause: error,
    });
  }
}

export function writeAnchorMemory(dataDir: string, content: AnchorMemory): void {
  const file = join(dataDir, ANCHOR_MEMORY_FILE);
  const draft = `${file}.new`;
  const descriptor = openSync(draft, 'w', 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(content)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
}
