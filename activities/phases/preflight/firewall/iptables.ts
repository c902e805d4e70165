import {
  type Chain,
  every,
  isIn,
  not,
  type Packet,
  PROTOCOL_NUMBERS,
  type Truth,
  truth,
  type Verdict,
} from './model.ts';

const TARGETS: Readonly<Record<string, Verdict['kind']>> = {
  ACCEPT: 'accept',
  DROP: 'drop',
  REJECT: 'drop',
  RETURN: 'return',
};
/** Targets that let the packet go on; any other name that is no chain may do anything, and is passed over. */
const HOOKS: Readonly<Record<string, string>> = { INPUT: 'input', FORWARD: 'forward' };

/** Words of a line of iptables-save: quoted ones (comments) are one word. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

/** `22`, `22,80`, `30000:32767`. */
function hasPort(list: string, port: number | null): Truth {
  if (port === null) return 'no';
  return truth(
    list.split(',').some((each) => {
      const [first = '', last = first] = each.split(':');
      return port >= Number(first) && port <= Number(last || 65_535);
    }),
  );
}

/** What an option of a match says of a packet; undefined: it says nothing (comments, names of match modules). */
type Reader = (value: string, packet: Packet) => Truth | undefined;

const READERS: Readonly<Record<string, Reader>> = {
  '-s': (value, { source }) => isIn(source, value),
  '-d': (value, { destination }) => isIn(destination, value),
  '-p': (value, { protocol }) =>
    truth(value === protocol || value === 'all' || value === String(PROTOCOL_NUMBERS[protocol])),
  // From another machine, or from a pod.
  '-i': (value) => (value === 'lo' ? 'no' : 'maybe'),
  '-o': (value) => (value === 'lo' ? 'no' : 'maybe'),
  '-m': () => undefined,
  '--comment': () => undefined,
  '--ctstate': (value) => truth(value.split(',').includes('NEW')),
  '--state': (value) => truth(value.split(',').includes('NEW')),
  '--dport': (value, { port }) => hasPort(value, port),
  '--dports': (value, { port }) => hasPort(value, port),
  '--dst-type': (value, { hook }) => truth(value === (hook === 'input' ? 'LOCAL' : 'UNICAST')),
  '--icmp-type': () => 'no',
};
/** Options without a value. */
const BARE: Readonly<Record<string, Truth>> = { '--syn': 'yes' };

function ruleOf(line: string): { chain: string; rule: Chain['rules'][number] } | null {
  const [, chain = '', ...words] = wordsOf(line);
  const tests: ((packet: Packet) => Truth)[] = [];
  let verdict: Verdict = { kind: 'none' };
  for (let index = 0, negated = false; index < words.length; index += 1) {
    const word = words[index]!;
    if (word === '!') {
      negated = true;
      continue;
    }
    const next = words[index + 1];
    if ((word === '-j' || word === '-g') && next !== undefined) {
      const known = TARGETS[next];
      verdict =
        known === undefined ? { kind: word === '-g' ? 'goto' : 'jump', chain: next } : ({ kind: known } as Verdict);
      break;
    }
    const turned = negated;
    negated = false;
    const bare = BARE[word];
    const read = READERS[word];
    if (bare !== undefined) {
      tests.push(() => (turned ? not(bare) : bare));
    } else if (read && next !== undefined) {
      index += 1;
      tests.push((packet) => {
        const answer = read(next, packet) ?? 'yes';
        return turned ? not(answer) : answer;
      });
    } else if (word.startsWith('-')) {
      // Something that we do not know, with its values.
      tests.push(() => 'maybe');
      while (words[index + 1] !== undefined && !/^(-[a-z]|--|!)/.test(words[index + 1]!)) index += 1;
    }
  }
  const decide = (packet: Packet) => [{ truth: every(tests.map((test) => test(packet))), verdict }];
  return { chain, rule: { text: line, decide } };
}

/** The table `filter` of IPv4 as iptables-save prints it. Pure. */
export function iptablesChains(lines: readonly string[]): Map<string, Chain> {
  const chains = new Map<string, Chain>();
  for (const line of lines) {
    const [, name, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) {
      const hook = HOOKS[name] ?? null;
      chains.set(name, { table: 'ip filter', name, hook, policy: policy === 'DROP' ? 'drop' : 'accept', rules: [] });
    } else if (line.startsWith('-A ')) {
      const parsed = ruleOf(line);
      if (parsed) chains.get(parsed.chain)?.rules.push(parsed.rule);
    }
  }
  return chains;
}
