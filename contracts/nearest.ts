/** Edits between two words: insertions, deletions, replacements, and swaps of neighbours. */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1);
      row.push(best);
    }
    before = above;
    above = row;
  }
  return above[b.length]!;
}

/** Longest word that is compared and quoted: what a caller sends may be long. */
const QUOTED = 64;

/** Edits after which a word is no longer taken for a misspelling of the known one. */
const allowed = (known: string): number => Math.max(2, Math.floor(known.length / 2));

/** The known word that a person most likely meant; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const cut = word.slice(0, QUOTED).toLowerCase();
  const ranked = known
    // As many edits as the lengths differ are needed at least: most words need no closer look.
    .filter((each) => Math.abs(each.length - cut.length) <= allowed(each))
    .map((each) => ({ each, edits: distance(cut, each.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  if (best && best.edits <= allowed(best.each)) return best.each;
  // `version` for `kubernetesVersion`: one word inside the other.
  return known.find(
    (each) => cut.length >= 3 && (each.toLowerCase().includes(cut) || cut.includes(each.toLowerCase())),
  );
}

/** "unknown key `rolse`; did you mean `roles`?", or the known words when none is near. */
export function unknownWord(what: string, word: string, known: readonly string[]): string {
  const quoted = word.length > QUOTED ? `${word.slice(0, QUOTED)}...` : word;
  const near = nearest(word, known);
  if (near !== undefined) return `unknown ${what} \`${quoted}\`; did you mean \`${near}\`?`;
  const list = known.length > 0 ? `; known: ${known.slice(0, 40).join(', ')}` : '';
  return `unknown ${what} \`${quoted}\`${list}`;
}
