/** Numbers in [0, 1) that follow from the seed alone (mulberry32): a case is run again by its seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number from 0 to `below` - 1. */
export const pick = (random: () => number, below: number): number => Math.floor(random() * below);

/** The same items in another order. */
export function shuffled<T>(random: () => number, items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(pick(random, left.length), 1)[0]!);
}
