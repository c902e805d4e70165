/** What to look for: `name` says whose secret it is, in words that are none. */
export interface Needle {
  name: string;
  form: string;
  bytes: Buffer;
}

/** Shorter pieces would be found anywhere. */
const SHORTEST = 10;

/** Every form in which a secret could stand somewhere: raw, base64 at any offset, hex, escaped; keys line by line too. */
export function needlesOf(name: string, value: string): Needle[] {
  const forms: Record<string, string> = {
    raw: value.trim(),
    json: JSON.stringify(value.trim()).slice(1, -1),
    hex: Buffer.from(value.trim()).toString('hex'),
    url: encodeURIComponent(value.trim()),
  };
  for (const [index, middle] of base64Middles(Buffer.from(value.trim())).entries()) forms[`base64+${index}`] = middle;
  if (value.includes('-----BEGIN')) {
    // The last line of an EC key is the public one's, which certificates hold too. OpenSSH begins every key that has no
    // passphrase with the same bytes.
    const lines = value
      .split('\n')
      .filter((line) => line.length >= 60 && !line.startsWith('-----') && !line.startsWith('b3BlbnNzaC1rZXktdjE'));
    for (const [index, line] of lines.entries()) {
      forms[`line ${index}`] = line;
      for (const [offset, middle] of base64Middles(Buffer.from(line)).entries())
        forms[`line ${index} base64+${offset}`] = middle;
    }
    forms['hex of DER'] = Buffer.from(lines.join(''), 'base64').toString('hex').slice(-64);
  }
  const texts = Object.entries(forms).filter(([, text]) => text.length >= SHORTEST);
  return texts.map(([form, text]) => ({ name, form, bytes: Buffer.from(text) }));
}

/** The part of a value's base64 that does not depend on what stands around it, for the three alignments. */
function base64Middles(bytes: Buffer): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return encoded.slice(before === 0 ? 0 : before + 1, -2);
  });
}

/** `name (form)` of every needle in the haystack. */
export function findNeedles(needles: readonly Needle[], haystack: Buffer | string): string[] {
  const bytes = typeof haystack === 'string' ? Buffer.from(haystack) : haystack;
  return needles.filter((needle) => bytes.includes(needle.bytes)).map(({ name, form }) => `${name} (${form})`);
}
