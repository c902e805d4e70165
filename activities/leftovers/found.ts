import { whose } from './tools.ts';

/** Words of a line that the script LEFTOVERS said: the kind, then what it is about. */
export type Row = readonly string[];

/** What a line means: one sentence, and where it was seen, whose it is, how it goes away. */
export interface Found {
  readonly message: string;
  readonly evidence: string;
}

const of = (owner = '-'): string => (owner === '-' ? '' : ` of the package ${owner}`);

const WORDS: Readonly<Record<string, (...words: string[]) => Found>> = {
  dropin: (unit = '', path = '', line = '', text = '', owner) => ({
    message: `${path} replaces what ${unit} starts`,
    evidence: `${path}${of(owner)}, line ${line}: ${text.trim()}${whose(path)}`,
  }),
  cni: (path = '', owner) => ({
    message: `${path} is a network of pods that is not this cluster's`,
    evidence: `${path}${of(owner)}: containerd takes the first file of the folder${whose(path)}`,
  }),
  link: (name = '', addresses = '') => ({
    message: `the link ${name} is of another pod network`,
    evidence: `ip link: ${name} (${addresses.trim()})${whose(name)}`,
  }),
  chains: (program = '', count = '', names = '') => ({
    message: `${count} chains of another cluster are in ${program}`,
    evidence: `${program}-save: ${names.trim()}${Number(count) > 4 ? ' ...' : ''}${whose(...names.split(' '))}`,
  }),
  table: (family = '', name = '') => ({
    message: `the nft table ${name} is of another cluster`,
    evidence: `nft list tables: ${family} ${name}${whose(name)}`,
  }),
};

/** The meaning of a line; null for one of no known kind. Pure. */
export const meaningOf = ([kind = '', ...words]: Row): Found | null => WORDS[kind]?.(...words) ?? null;

/**
 * Is it among what `leftovers: clean` removes? Not chains of the older iptables, which our programs cannot read, and
 * not a drop-in for several units, which has other purposes too. Pure.
 */
export function isCleaned([kind = '', first = '', second = '']: Row): boolean {
  if (kind === 'chains') return !first.endsWith('-legacy');
  return kind !== 'dropin' || second.includes(`/${first}.d/`);
}
