import { z } from 'zod';
import { canonicalJson, sha256 } from '../store/canonical.ts';
import { publicKeyOf, type Signer } from './signing-key.ts';

/**
 * An anchor: heads of chains as they were at one moment, signed with the installation's key. Its text is one line of
 * canonical JSON, `{"anchor":{...},"signature":"..."}`: the same in our database and in every external sink. Each anchor
 * names the sha256 of the text before it, so that none can be taken out between two others.
 */
const FORMAT = 'kubewright-anchor/1';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const head = z.object({ chain: z.string().max(600), n: z.int().min(1), hash: digest });
const anchor = z.object({
  format: z.literal(FORMAT),
  /** From 1. */
  n: z.int().min(1),
  /** sha256 of the text of the anchor before it; 64 zeros on the first. */
  prev: digest,
  at: z.iso.datetime({ precision: 3 }),
  /** Every link up to this position of the journal is covered by this anchor and those before it. */
  pos: z.int().min(0),
  /** On the first one: links that were there before signing began. Nothing says when those were written. */
  before: z.int().min(0).optional(),
  heads: z.array(head).max(1_000),
  /** Public key: SubjectPublicKeyInfo (DER) in base64. */
  key: z.string().max(200),
});
const entry = z.object({ anchor, signature: z.string().max(200) });

export type Anchor = z.infer<typeof anchor>;
export type AnchorHead = z.infer<typeof head>;

/** The longest text that is read as an anchor, bytes. Ours have at most some 2,000: a syslog datagram must hold one. */
export const MOST_ANCHOR = 256 * 1024;
/** Bytes of heads in one anchor: the rest of its 2,048 bytes, which receivers of syslog take, are its other members. */
const HEAD_BYTES = 1_450;

export const anchorHash = (text: string): string => sha256(text);

/** Sign heads. Returns the text. */
export function signAnchor(signer: Signer, content: Omit<Anchor, 'format' | 'key'>): string {
  const body = { format: FORMAT, ...content, key: signer.publicDer };
  return canonicalJson({ anchor: body, signature: signer.sign(Buffer.from(canonicalJson(body))).toString('base64') });
}

/**
 * What an anchor's text says, and the fingerprint of the key that signed it. Throws Error with the reason when it is no
 * anchor in the one form that it can have, or when its signature does not hold.
 */
export function readAnchor(text: string): { anchor: Anchor; fingerprint: string } {
  if (text.length > MOST_ANCHOR) throw new Error('it is too long for an anchor');
  let parsed: z.infer<typeof entry>;
  try {
    parsed = entry.parse(JSON.parse(text));
  } catch {
    throw new Error('it is no anchor');
  }
  // Base64 has more than one text for the same bytes.
  const oneForm = Buffer.from(parsed.signature, 'base64').toString('base64') === parsed.signature;
  if (canonicalJson(parsed) !== text || !oneForm) throw new Error('it is not the one text that such an anchor has');
  const key = publicKeyOf(parsed.anchor.key);
  if (!key.verify(Buffer.from(canonicalJson(parsed.anchor)), Buffer.from(parsed.signature, 'base64'))) {
    throw new Error('its signature does not hold');
  }
  return { anchor: parsed.anchor, fingerprint: key.fingerprint };
}

/** Heads in groups that fit one anchor each. */
export function groupsOf(heads: readonly AnchorHead[]): AnchorHead[][] {
  const groups: AnchorHead[][] = [];
  let room = 0;
  for (const each of heads) {
    const bytes = Buffer.byteLength(canonicalJson(each)) + 1;
    if (groups.length === 0 || bytes > room) {
      groups.push([]);
      room = HEAD_BYTES;
    }
    groups.at(-1)!.push(each);
    room -= bytes;
  }
  return groups;
}
