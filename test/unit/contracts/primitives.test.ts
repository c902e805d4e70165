import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  absolutePath,
  cidr,
  cidrAddress,
  cidrContains,
  cidrsOverlap,
  dnsLabel,
  loginName,
} from '../../../contracts/primitives.ts';

const dotted = (value: number) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
/** A network as text, with its first and last address as numbers: what the functions under test are judged by. */
const network = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 }))
  .map(([raw, bits]) => {
    const size = 2 ** (32 - bits);
    const first = Math.floor(raw / size) * size;
    return { text: `${dotted(first)}/${bits}`, first, last: first + size - 1 };
  });

describe('networks', () => {
  it('overlap exactly when they share an address', () => {
    fc.assert(
      fc.property(network, network, (a, b) => {
        const shared = a.first <= b.last && b.first <= a.last;
        expect(cidrsOverlap(a.text, b.text)).toBe(shared);
        expect(cidrsOverlap(b.text, a.text)).toBe(shared);
      }),
    );
  });

  it('overlap with every network inside them', () => {
    fc.assert(
      fc.property(network, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (outer, offset) => {
        const inner = `${dotted(outer.first + (offset % (outer.last - outer.first + 1)))}/32`;
        expect(cidrsOverlap(outer.text, inner)).toBe(true);
      }),
    );
  });

  it('contain the addresses from first to last', () => {
    fc.assert(
      fc.property(network, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (range, ip) => {
        expect(cidrContains(range.text, dotted(ip))).toBe(ip >= range.first && ip <= range.last);
      }),
    );
  });

  it('count their addresses from the first', () => {
    fc.assert(
      fc.property(network, (range) => {
        const n = Math.min(10, range.last - range.first);
        expect(cidrAddress(range.text, n)).toBe(dotted(range.first + n));
        expect(cidrContains(range.text, cidrAddress(range.text, n))).toBe(true);
      }),
    );
  });

  it('are taken only in their canonical form', () => {
    fc.assert(
      fc.property(network, ({ text }) => {
        expect(cidr.safeParse(text).success, text).toBe(true);
      }),
    );
    for (const text of [
      '10.0.0.1/16',
      '10.0.0.0',
      '10.0.0.0/33',
      '010.0.0.0/8',
      '::/0',
      '10.0.0.0/8;id',
      '10.0.0.0/ 8',
      '',
    ]) {
      expect(cidr.safeParse(text).success, text).toBe(false);
    }
  });
});

describe('names and paths', () => {
  it('never hold anything that a shell reads', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40, unit: 'binary' }), (text) => {
        if (dnsLabel.safeParse(text).success) expect(text).toMatch(/^[a-z0-9-]+$/);
        if (absolutePath.safeParse(text).success) expect(text).not.toMatch(/[\s$`"'\\;&|<>(){}*?![\]#~\0]/);
      }),
    );
    for (const text of ['/a/../b', '/a b', '/$(id)', 'relative', '/a\nb']) {
      expect(absolutePath.safeParse(text).success, text).toBe(false);
    }
  });
});

describe('login names', () => {
  it.each([
    ...['root', 'ops', '_apt', 'user.name', 'User.Name', 'User.Name@Example.COM', 'DOM\\user', 'a+b', 'host$', '0day'],
    ...['x'.repeat(256), 'svc_k8s-build', 'toor-'],
  ])('of /etc/passwd and of directories: %s', (name) => {
    expect(loginName.safeParse(name).success).toBe(true);
  });

  it.each([
    ...['', '-root', 'two words', 'a:b', 'a\nb', "o'neil", 'a/b', '$x', '@a', '.a', 'a$b', 'x'.repeat(257), 'röm'],
  ])('but none that a tool reads as something else: %j', (name) => {
    expect(loginName.safeParse(name).success).toBe(false);
  });
});
