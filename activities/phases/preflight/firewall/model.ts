import ipaddr from 'ipaddr.js';
import { type Opening, PORTLESS_PROTOCOLS } from '../../../resources/firewall-needs.ts';

/** Rules have the number of a protocol where /etc/protocols does not name it. */
export const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, ...PORTLESS_PROTOCOLS };

/** A new connection as a packet filter sees its first packet; it comes from another machine or from a pod. */
export interface Packet {
  hook: 'input' | 'forward';
  source: string;
  destination: string;
  protocol: Opening['protocol'];
  /** null: of a protocol without ports. */
  port: number | null;
}

/** Whether a rule is about a packet; `maybe`: it asks for something that is not known here (an interface, a mark). */
export type Truth = 'yes' | 'no' | 'maybe';

export type Verdict = { kind: 'accept' | 'drop' | 'return' | 'none' } | { kind: 'jump' | 'goto'; chain: string };

export interface Rule {
  /** As the tool prints it, for evidence. */
  text: string;
  /** What it does with a packet: the first that is not `no` counts. */
  decide(packet: Packet): readonly { truth: Truth; verdict: Verdict }[];
}

export interface Chain {
  /** `inet filter` */
  table: string;
  name: string;
  /** Of base chains only. */
  hook: string | null;
  policy: 'accept' | 'drop';
  rules: Rule[];
}

/** What becomes of a packet in a base chain. `maybe`: some rule may accept it. */
export interface Outcome {
  end: 'accept' | 'drop' | 'maybe';
  /** The rule that drops it; null: the policy. */
  by: string | null;
}

/** Chains call each other this deep at most (the kernel's NFT_JUMP_STACK_SIZE is 16). */
const MAX_DEPTH = 16;

export const every = (truths: readonly Truth[]): Truth =>
  truths.includes('no') ? 'no' : truths.includes('maybe') ? 'maybe' : 'yes';
export const some = (truths: readonly Truth[]): Truth =>
  truths.includes('yes') ? 'yes' : truths.includes('maybe') ? 'maybe' : 'no';
export const not = (truth: Truth): Truth => (truth === 'maybe' ? truth : truth === 'yes' ? 'no' : 'yes');
export const truth = (holds: boolean): Truth => (holds ? 'yes' : 'no');

/** Is the IPv4 address the other one, or in the range? Also of texts that are neither: no. */
export function isIn(address: string, range: string): Truth {
  try {
    if (!range.includes('/')) return truth(range === address);
    const [base = '', bits = ''] = range.split('/');
    // iptables also writes 10.0.0.0/255.0.0.0.
    const length = bits.includes('.') ? ipaddr.IPv4.parse(bits).prefixLengthFromSubnetMask() : Number(bits);
    if (!ipaddr.IPv4.isValid(base) || length === null) return 'maybe';
    return truth(ipaddr.IPv4.parse(address).match([ipaddr.IPv4.parse(base), length]));
  } catch {
    return 'maybe';
  }
}

/** Follow a packet through a base chain. What is not known counts in its favour: only what is certainly dropped is. Pure. */
export function outcomeOf(chain: Chain, chains: ReadonlyMap<string, Chain>, packet: Packet): Outcome {
  const seen = { maybe: false };
  const outcome = walk(chain, chains, packet, seen, 0);
  const end = outcome?.end ?? chain.policy;
  if (end === 'drop' && seen.maybe) return { end: 'maybe', by: null };
  return { end, by: outcome?.by ?? null };
}

function walk(
  chain: Chain,
  chains: ReadonlyMap<string, Chain>,
  packet: Packet,
  seen: { maybe: boolean },
  depth: number,
): Outcome | null {
  if (depth > MAX_DEPTH) return { end: 'maybe', by: null };
  for (const rule of chain.rules) {
    const found = rule.decide(packet).find((each) => each.truth !== 'no');
    if (!found) continue;
    const { verdict } = found;
    const certain = found.truth === 'yes';
    if (verdict.kind === 'accept') {
      if (certain) return { end: 'accept', by: rule.text };
      seen.maybe = true;
    } else if (verdict.kind === 'drop') {
      if (certain) return { end: 'drop', by: rule.text };
    } else if (verdict.kind === 'return') {
      if (certain) return null;
    } else if (verdict.kind === 'jump' || verdict.kind === 'goto') {
      const next = chains.get(verdict.chain);
      const outcome = next ? walk(next, chains, packet, seen, depth + 1) : null;
      if (!certain) {
        if (outcome?.end === 'accept') seen.maybe = true;
      } else if (outcome) return outcome;
      else if (verdict.kind === 'goto') return null;
    }
  }
  return null;
}
