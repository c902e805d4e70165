import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRedactor, MASK } from '../../../activities/host/redact.ts';

const secret = fc.string({ unit: 'binary-ascii', minLength: 4, maxLength: 40 }).filter((text) => !MASK.includes(text));

test('no value survives, wherever it stands', () => {
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 4 }),
      fc.array(fc.string(), { maxLength: 5 }),
      (values, texts) => {
        const input = texts.flatMap((text, index) => [text, values[index % values.length] ?? '']).join('') + values[0];
        const output = createRedactor(values).text(input);
        // The mask is ours; what is left between masks must hold no value.
        for (const value of values) for (const part of output.split(MASK)) expect(part).not.toContain(value);
      },
    ),
  );
});

test('base64 of any text around the value is masked, at each alignment', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 12, maxLength: 40 }),
      fc.string({ maxLength: 7 }),
      fc.string({ maxLength: 7 }),
      (value, before, after) => {
        const encoded = Buffer.from(before + value + after).toString('base64');
        expect(createRedactor([value]).text(`Basic ${encoded}`)).toContain(MASK);
        const url = Buffer.from(before + value + after).toString('base64url');
        expect(createRedactor([value]).text(url)).toContain(MASK);
      },
    ),
  );
});

test('a stream masks values that are split across chunks', () => {
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 3 }),
      fc.array(fc.oneof(fc.string({ maxLength: 10 }), fc.integer({ min: 0, max: 2 })), { maxLength: 12 }),
      fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 10 }),
      (values, parts, sizes) => {
        const input = parts
          .map((part) => (typeof part === 'number' ? (values[part % values.length] ?? '') : part))
          .join('');
        const redactor = createRedactor(values);
        const stream = redactor.stream();
        let output = '';
        for (let at = 0, turn = 0; at < input.length; turn += 1) {
          const size = (sizes[turn % sizes.length] ?? 0) + 1;
          output += stream.push(input.slice(at, at + size));
          at += size;
        }
        output += stream.end();
        expect(output).toBe(redactor.text(input));
      },
    ),
  );
});

test('quoted, escaped, encoded and line-wise forms are masked', () => {
  const value = `pa'ss "word"/+é`;
  const redactor = createRedactor([value]);
  for (const form of [
    value,
    `pa'\\''ss "word"/+é`,
    JSON.stringify(value),
    encodeURIComponent(value),
    Buffer.from(value).toString('hex'),
    Buffer.from(value).toString('hex').toUpperCase(),
    JSON.stringify(JSON.stringify({ value })),
    `$'pa\\'ss "word"/+é'`,
    `pa\\'ss\\ \\"word\\"/+\\é`,
    Buffer.from(`user:${value}`).toString('base64'),
  ]) {
    expect(redactor.text(`x ${form} y`), form).toContain(MASK);
    expect(redactor.text(form), form).not.toContain('ss');
  }
  const wrapped = Buffer.from('Q7x-Lp2_'.repeat(20)).toString('base64').replace(/.{76}/g, '$&\n');
  expect(createRedactor(['Q7x-Lp2_'.repeat(20)]).text(wrapped)).toMatch(/^(\[redacted\]\n?)+$/);
  const pem = `-----BEGIN PRIVATE KEY-----\n${'A1b2C3d4'.repeat(8)}\n${'Z9y8X7w6'.repeat(8)}\n-----END PRIVATE KEY-----\n`;
  const printed = pem
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\r\n');
  const masked = createRedactor([pem]).text(printed);
  expect(masked).not.toMatch(/A1b2|Z9y8/);
  expect(masked).toContain('BEGIN PRIVATE KEY');
});

test('pieces of a value at the edges of a cut text are masked', () => {
  const redactor = createRedactor(['correct-horse-battery']);
  expect(redactor.cut('-battery; then the log ... correct-horse-b')).toBe(`${MASK}; then the log ... ${MASK}`);
  // As evidence of a long output begins.
  expect(redactor.cut('...horse-battery was refused')).toBe(`...${MASK} was refused`);
});

test('very short values are not masked, no values change nothing', () => {
  expect(createRedactor(['', 'a', 'abc']).text('abcabc')).toBe('abcabc');
  expect(createRedactor([]).text('abc')).toBe('abc');
  expect(createRedactor(['first-one']).with(['second-one']).text('first-one second-one')).toBe(`${MASK} ${MASK}`);
});
