import { malformed, tooComplex } from '../../../contracts/document-bounds.ts';
import { LIMITS } from '../../../contracts/limits.ts';

/** Ranges in one name. */
const MOST_RANGES = 4;

/**
 * The names that a pattern stands for: `node[1:3]`, `node[01:10:2]`, `rack[a:c]-[1:2]`. Throws SPEC_MALFORMED for a range that is
 * none, and DOCUMENT_TOO_COMPLEX for one of more hosts than a cluster may have.
 */
export function expandHosts(pattern: string): string[] {
  let names = [''];
  let rest = pattern;
  for (let ranges = 0; ; ranges += 1) {
    const [whole = '', before = '', inner = ''] = /^([^[]*)\[([^\]]*)\]/.exec(rest) ?? [];
    if (whole === '') return names.map((name) => `${name}${rest}`);
    if (ranges >= MOST_RANGES) throw tooComplex(`a name has more than ${MOST_RANGES} ranges`);
    const parts = rangeOf(inner);
    if (names.length * parts.length > LIMITS.hostsPerCluster)
      throw tooComplex(`a range stands for more than ${LIMITS.hostsPerCluster} hosts`);
    names = names.flatMap((name) => parts.map((part) => `${name}${before}${part}`));
    rest = rest.slice(whole.length);
  }
}

function rangeOf(inner: string): string[] {
  const [from = '', to = '', stepText = '1', ...more] = inner.split(':');
  const step = Number(stepText);
  const wrong = malformed('a range of hosts is such as [1:3], [01:10:2] or [a:c]');
  if (more.length > 0 || !/^\d{1,6}$/.test(stepText) || step === 0) throw wrong;
  if (/^[a-z]$/.test(from) || /^[A-Z]$/.test(from)) {
    if (!/^[A-Za-z]$/.test(to) || to < from) throw wrong;
    return counted(from.charCodeAt(0), to.charCodeAt(0), step).map((code) => String.fromCharCode(code));
  }
  const first = from === '' ? '0' : from;
  if (!/^\d{1,9}$/.test(first) || !/^\d{1,9}$/.test(to) || Number(to) < Number(first)) throw wrong;
  const width = first.length > 1 && first.startsWith('0') ? first.length : 0;
  if (width > 0 && to.length !== width) throw wrong;
  return counted(Number(first), Number(to), step).map((number) => String(number).padStart(width, '0'));
}

function counted(from: number, to: number, step: number): number[] {
  const count = Math.floor((to - from) / step) + 1;
  if (count > LIMITS.hostsPerCluster) throw tooComplex(`a range stands for more than ${LIMITS.hostsPerCluster} hosts`);
  return Array.from({ length: count }, (_, index) => from + index * step);
}
