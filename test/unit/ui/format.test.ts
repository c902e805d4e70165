import { describe, expect, it } from 'vitest';
import { ago, bytes, clock, duration } from '../../../ui/src/lib/format.ts';

describe('formats of the UI', () => {
  it.each([
    [0, '0.0 s'],
    [4_230, '4.2 s'],
    [9_949, '9.9 s'],
    [9_960, '10 s'],
    [59_600, '1:00'],
    [187_000, '3:07'],
    [3_723_000, '1:02:03'],
  ])('a duration of %d ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

  it.each([
    [999, '999 B'],
    [3_400_000, '3.4 MB'],
    [999_960, '1.0 MB'],
  ])('%d bytes are %s', (count, text) => expect(bytes(count)).toBe(text));

  it('says how long ago a time was, in both languages', () => {
    const now = Date.parse('2026-12-01T12:00:00Z');
    expect(ago('2026-12-01T11:55:00Z', now, 'en')).toBe('5 minutes ago');
    expect(ago('2026-11-28T12:00:00Z', now, 'zh')).toBe('3天前');
    expect(ago('2026-12-01T12:00:00Z', now, 'en')).toBe('now');
  });

  it('adds the date to a time of another day', () => {
    const time = '2026-12-01T12:00:00Z';
    expect(clock(time, Date.parse(time), 'en')).not.toContain('2026');
    expect(clock(time, Date.parse(time) + 3 * 86_400_000, 'en')).toContain('2026');
  });
});
