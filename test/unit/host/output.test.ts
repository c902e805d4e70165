import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutputSink } from '../../../activities/host/output.ts';
import { ReportLine } from '../../../activities/host/report-line.ts';

/** The bytes, in pieces of the given sizes. */
function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const all: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = (sizes[turn % sizes.length] ?? 0) + 1;
    all.push(bytes.subarray(at, at + size));
    at += size;
  }
  return all;
}

const sizes = fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 10 });

test('characters split across chunks are whole again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), sizes, (text, cuts) => {
      const sink = new OutputSink(10_000);
      for (const piece of pieces(Buffer.from(text), cuts)) sink.push(piece);
      expect(sink.text()).toBe(text.toWellFormed());
      expect(sink.truncated).toBe(false);
    }),
  );
});

test('bytes that are not UTF-8 become replacement characters', () => {
  const sink = new OutputSink(100);
  sink.push(Buffer.from([0x61, 0xff, 0xfe, 0x62, 0xe2, 0x82]));
  expect(sink.text()).toBe('a\uFFFD\uFFFDb\uFFFD');
});

test('keeps the beginning and the end, counts the rest, and cuts no character in half', () => {
  const sink = new OutputSink(10);
  sink.push(Buffer.from('€€€€€'));
  for (let n = 0; n < 5000; n += 1) sink.push(Buffer.from('0123456789'));
  sink.push(Buffer.from('the end'));
  expect(sink.text()).toBe('€€€');
  expect(sink.truncated).toBe(true);
  expect(sink.bytes).toBe(15 + 50_000 + 7);
  expect(sink.end().endsWith('89the end')).toBe(true);
  expect(sink.end().length).toBeLessThan(20_000);
});

test('the report line is taken out however it arrives, with any noise before it', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), sizes, (noise, output, cuts) => {
      const passed: Buffer[] = [];
      const report = new ReportLine('kw-mark', (chunk) => passed.push(chunk));
      for (const piece of pieces(Buffer.from(`${noise}kw-mark 11 10 9 9 77\n${output}`), cuts)) report.push(piece);
      expect(report.process).toEqual({ pid: 11, parent: 10, group: 9, session: 9, startTime: 77 });
      expect(Buffer.concat(passed).toString()).toBe(Buffer.from(output).toString());
    }),
  );
});

test('endless noise without a report is bounded', () => {
  const report = new ReportLine('kw-mark', () => {});
  for (let n = 0; n < 100; n += 1) report.push(Buffer.alloc(10_000, 'x'));
  expect(report.preamble.length).toBeLessThan(40_000);
  report.push(Buffer.from('xkw-ma'));
  report.push(Buffer.from('rk 1 1 1 1 1\n'));
  expect(report.process?.pid).toBe(1);
});
