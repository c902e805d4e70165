/**
 * How long texts are cut, everywhere: what a program says last is mostly why it failed, so the end is always kept. Zod-free.
 */

/** At most `most` characters: the end, with `...` in place of what comes before it. Pure. */
export function keepEnd(text: string, most: number): string {
  return text.length <= most ? text : `...${text.slice(text.length - Math.max(most - 3, 0))}`;
}

/** At most `most` characters: a quarter from the beginning, the rest from the end, ` ... ` between them. Pure. */
export function keepEnds(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.floor(most / 4);
  return `${text.slice(0, head)} ... ${text.slice(text.length - Math.max(most - head - 5, 0))}`;
}

/** `keepEnds` for each line of standard input, as a command of sh: for what is cut on a host already. */
export const linesKeepEnds = (most: number): string =>
  `awk -v n=${most} 'length($0) > n { h = int(n / 4); print substr($0, 1, h) " ... " substr($0, length($0) - n + h + 6); next } { print }'`;
