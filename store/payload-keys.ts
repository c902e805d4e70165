import { randomBytes } from 'node:crypto';
import type { SecretStore } from './secrets.ts';

/** A key for what Temporal keeps of us. */
export interface PayloadKey {
  /** Stands in clear beside what it sealed. */
  id: string;
  /** 32 bytes. */
  key: Uint8Array;
}

/**
 * The keys of the payload codec. They are secrets like any other: sealed at rest by the master key, and the same for API
 * and workers. So the master key can be exchanged and dropped while histories of years ago still open.
 */
export interface PayloadKeys {
  /** The newest, made when there is none. A key that another process added is seen within a minute. */
  current(): Promise<PayloadKey>;
  /** Null when there is none by that id. */
  byId(id: string): Promise<PayloadKey | null>;
  /** Add a key, which seals from now on; the others still open. */
  add(): Promise<PayloadKey>;
}

export const PAYLOAD_KEY_SCOPE = 'temporal/payload-key';
const KEY_BYTES = 32;
const REREAD_MS = 60_000;
/** Ids are numbers of this many digits: text order is the order of making. */
const DIGITS = 6;
const ID = /^\d{6}$/;

const idOf = (number: number): string => String(number).padStart(DIGITS, '0');

export function payloadKeys(secrets: Pick<SecretStore, 'get' | 'list' | 'createIfAbsent'>): PayloadKeys {
  const known = new Map<string, Promise<PayloadKey | null>>();
  let newest: { id: Promise<string>; readAt: number } | undefined;

  const numbers = async (): Promise<number[]> =>
    (await secrets.list(PAYLOAD_KEY_SCOPE)).map(({ name }) => Number(name)).sort((a, b) => a - b);

  const make = async (id: string): Promise<string> => {
    await secrets.createIfAbsent(PAYLOAD_KEY_SCOPE, id, () => randomBytes(KEY_BYTES).toString('base64'));
    return id;
  };

  const read = async (id: string): Promise<PayloadKey | null> => {
    const text = await secrets.get(PAYLOAD_KEY_SCOPE, id);
    return text === null ? null : { id, key: Buffer.from(text, 'base64') };
  };

  const byId = async (id: string): Promise<PayloadKey | null> => {
    if (!ID.test(id)) return null;
    const reading = known.get(id) ?? read(id);
    known.set(id, reading);
    try {
      const found = await reading;
      if (!found) known.delete(id);
      return found;
    } catch (error) {
      known.delete(id);
      throw error;
    }
  };

  const newestId = (): Promise<string> => {
    if (newest && Date.now() - newest.readAt < REREAD_MS) return newest.id;
    const readAt = {
      id: numbers().then((all) => (all.length === 0 ? make(idOf(1)) : idOf(all.at(-1)!))),
      readAt: Date.now(),
    };
    readAt.id.catch(() => {
      if (newest === readAt) newest = undefined;
    });
    newest = readAt;
    return readAt.id;
  };

  return {
    current: async () => (await byId(await newestId()))!,
    byId,
    async add() {
      const id = await make(idOf(((await numbers()).at(-1) ?? 0) + 1));
      newest = undefined;
      return (await byId(id))!;
    },
  };
}
