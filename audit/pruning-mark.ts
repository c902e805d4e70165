import { z } from 'zod';
import { canonicalJson } from '../store/canonical.ts';
import { publicKeyOf, type Signer } from './signing-key.ts';

/**
 * A mark where a chain begins after retention removed its first links: signed, so that without the key no deletion can be called
 * a deletion retention. One line of canonical JSON, as an anchor. Rules for who prunes: cut behind a link where no record
 * is open, sign first, remove links and records and write the mark in one transaction (chains.prune does, and refuses open
 * records of chains that are not over), and only what a bundle has sealed or a signed anchor covers. A chain that is pruned
 * again gets a new mark in place of the old one, with a greater `n`. Valid tokens must keep an `issue` record: write a new
 * one before the old one is removed.
 */
const FORMAT = 'kubewright-pruning/1';

const mark = z.object({
  format: z.literal(FORMAT),
  chain: z.string().max(600),
  /** The last link that was removed, and its hash: the next one names it as `prev`. */
  n: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  at: z.iso.datetime({ precision: 3 }),
  /** Which rule removed them, in words. */
  reason: z.string().max(200),
  key: z.string().max(200),
});
const entry = z.object({ mark, signature: z.string().max(200) });
export type PruningMark = z.infer<typeof mark>;

/** Sign a mark. Returns the text. */
export function signMark(signer: Signer, content: Omit<PruningMark, 'format' | 'key'>): string {
  const body = { format: FORMAT, ...content, key: signer.publicDer };
  return canonicalJson({ mark: body, signature: signer.sign(Buffer.from(canonicalJson(body))).toString('base64') });
}

/** What a mark's text says, and the fingerprint of the key that signed it. Throws Error with the reason. */
export function readMark(text: string): { mark: PruningMark; fingerprint: string } {
  let parsed: z.infer<typeof entry>;
  try {
    parsed = entry.parse(JSON.parse(text));
  } catch {
    throw new Error('it is no pruning mark');
  }
  // Base64 has more than one text for the same bytes.
  const oneForm = Buffer.from(parsed.signature, 'base64').toString('base64') === parsed.signature;
  if (canonicalJson(parsed) !== text || !oneForm) throw new Error('it is not the one text that such a mark has');
  const key = publicKeyOf(parsed.mark.key);
  if (!key.verify(Buffer.from(canonicalJson(parsed.mark)), Buffer.from(parsed.signature, 'base64'))) {
    throw new Error('its signature does not hold');
  }
  return { mark: parsed.mark, fingerprint: key.fingerprint };
}
