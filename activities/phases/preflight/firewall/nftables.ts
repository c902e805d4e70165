import { z } from 'zod';
import { isTable } from '../../option-types.ts';
import {
  type Chain,
  every,
  isIn,
  not,
  type Packet,
  PROTOCOL_NUMBERS,
  some,
  type Truth,
  truth,
  type Verdict,
} from './model.ts';

/** What `nft -j list table` prints, as far as it is read (libnftables-json(5)). */
const listing = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });
const chainObject = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  hook: z.string().optional(),
  policy: z.string().optional(),
});
const ruleObject = z.object({ chain: z.string(), expr: z.array(z.record(z.string(), z.unknown())) });
const setObject = z.object({ name: z.string(), elem: z.array(z.unknown()).optional() });

type Sets = ReadonlyMap<string, readonly unknown[]>;

/** A packet's value of an expression: null when the expression is not about such packets, undefined when it is unknown. */
function valueOf(left: unknown, packet: Packet): string | number | null | undefined {
  if (!isTable(left)) return undefined;
  const { payload, meta, ct, fib } = left;
  if (isTable(payload)) {
    const { protocol, field } = payload;
    if (protocol === 'tcp' || protocol === 'udp' || protocol === 'th') {
      if (protocol !== 'th' && protocol !== packet.protocol) return null;
      return field === 'dport' ? packet.port : undefined;
    }
    if (protocol === 'ip') {
      return { saddr: packet.source, daddr: packet.destination, protocol: packet.protocol }[String(field)];
    }
    return null;
  }
  if (isTable(meta)) {
    return { l4proto: packet.protocol, nfproto: 'ipv4', protocol: 'ip', pkttype: 'host' }[String(meta['key'])];
  }
  if (isTable(ct)) return ct['key'] === 'state' ? 'new' : undefined;
  if (isTable(fib)) return fib['result'] === 'type' && packet.hook === 'input' ? 'local' : undefined;
  return undefined;
}

/** Does a value, or one of a set, stand on the right side? */
function holds(right: unknown, value: string | number, sets: Sets): Truth {
  if (typeof right === 'string' && right.startsWith('@')) {
    const elements = sets.get(right.slice(1));
    return elements ? some(elements.map((each) => holds(each, value, sets))) : 'maybe';
  }
  if (Array.isArray(right)) return some(right.map((each) => holds(each, value, sets)));
  if (!isTable(right)) return truth(right === value || right === PROTOCOL_NUMBERS[value]);
  const { set, prefix, range, elem } = right;
  if (Array.isArray(set)) return some(set.map((each) => holds(each, value, sets)));
  if (isTable(elem)) return holds(elem['val'], value, sets);
  if (isTable(prefix)) return isIn(String(value), `${String(prefix['addr'])}/${String(prefix['len'])}`);
  if (Array.isArray(range)) {
    const number = (each: unknown) =>
      typeof each === 'number'
        ? each
        : String(each)
            .split('.')
            .reduce((sum, octet) => sum * 256 + Number(octet), 0);
    const at = number(value);
    const [first, last] = range.map(number);
    return Number.isNaN(at) ? 'maybe' : truth(at >= (first ?? 0) && at <= (last ?? 0));
  }
  return 'maybe';
}

function matchOf(match: unknown, packet: Packet, sets: Sets): Truth {
  if (!isTable(match)) return 'maybe';
  const { left, right, op } = match;
  // From another machine, or from a pod: never by loopback.
  if (isTable(left) && isTable(left['meta']) && /^[io]if(name)?$/.test(String(left['meta']['key']))) {
    const loopback = right === 'lo';
    return loopback ? truth(op === '!=') : 'maybe';
  }
  const value = valueOf(left, packet);
  if (value === null) return 'no';
  if (value === undefined) return 'maybe';
  const answer = holds(right, value, sets);
  if (op === '!=') return not(answer);
  return op === '==' || op === 'in' || op === undefined ? answer : 'maybe';
}

function verdictOf(expression: Record<string, unknown>): Verdict | null {
  for (const kind of ['accept', 'drop', 'return'] as const) if (kind in expression) return { kind };
  if ('reject' in expression) return { kind: 'drop' };
  for (const kind of ['jump', 'goto'] as const) {
    const call = expression[kind];
    if (isTable(call)) return { kind, chain: String(call['target']) };
  }
  return null;
}

/** A map from values to verdicts: what each of its entries does. */
function entriesOf(vmap: unknown, packet: Packet, sets: Sets): { truth: Truth; verdict: Verdict }[] {
  if (!isTable(vmap)) return [];
  const { key, data } = vmap;
  const entries =
    typeof data === 'string'
      ? sets.get(data.replace(/^@/, ''))
      : isTable(data) && Array.isArray(data['set'])
        ? data['set']
        : [];
  return (entries ?? []).flatMap((entry: unknown) => {
    if (!Array.isArray(entry) || !isTable(entry[1])) return [];
    const verdict = verdictOf(entry[1]);
    return verdict
      ? [{ truth: matchOf({ op: '==', left: key, right: entry[0] as unknown }, packet, sets), verdict }]
      : [];
  });
}

/** Statements that change nothing about where the packet goes. */
const PASSIVE = new Set(['counter', 'log', 'comment', 'notrack', 'meta', 'ct', 'mangle']);

function decide(expressions: readonly Record<string, unknown>[], packet: Packet, sets: Sets) {
  const truths: Truth[] = [];
  for (const expression of expressions) {
    const verdict = verdictOf(expression);
    if (verdict) return [{ truth: every(truths), verdict }];
    if ('vmap' in expression) {
      return entriesOf(expression['vmap'], packet, sets).map((each) => ({
        ...each,
        truth: every([...truths, each.truth]),
      }));
    }
    if ('match' in expression) truths.push(matchOf(expression['match'], packet, sets));
    else if (!Object.keys(expression).some((key) => PASSIVE.has(key))) truths.push('maybe');
  }
  return [];
}

/** The chains of one table. Null when the text is not what nft prints. Pure. */
export function nftChains(text: string): Map<string, Chain> | null {
  let parsed: z.infer<typeof listing>;
  try {
    parsed = listing.parse(JSON.parse(text));
  } catch {
    return null;
  }
  const chains = new Map<string, Chain>();
  const sets = new Map<string, readonly unknown[]>();
  for (const object of parsed.nftables) {
    const set = setObject.safeParse(object['set'] ?? object['map']);
    if (set.success) sets.set(set.data.name, set.data.elem ?? []);
    const chain = chainObject.safeParse(object['chain']);
    if (!chain.success) continue;
    const { family, table, name, hook, policy } = chain.data;
    const drops = policy === 'drop' ? 'drop' : 'accept';
    chains.set(name, { table: `${family} ${table}`, name, hook: hook ?? null, policy: drops, rules: [] });
  }
  for (const object of parsed.nftables) {
    const rule = ruleObject.safeParse(object['rule']);
    if (!rule.success) continue;
    const { chain, expr } = rule.data;
    const text = JSON.stringify(expr).slice(0, 200);
    chains.get(chain)?.rules.push({ text, decide: (packet) => decide(expr, packet, sets) });
  }
  return chains;
}
