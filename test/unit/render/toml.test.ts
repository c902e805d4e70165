import { expect, test } from 'vitest';
import { toml } from '../../../activities/render/toml.ts';

test('plain values come before tables, empty parents have no header, odd keys are quoted', () => {
  const text = toml({
    plugins: { 'io.x.v1': { on: true, list: ['a', 2], nothing: undefined, inner: { k: 'v' } }, empty: {} },
    version: 3,
  });
  expect(text).toBe(
    'version = 3\n\n[plugins."io.x.v1"]\non = true\nlist = ["a", 2]\n\n[plugins."io.x.v1".inner]\nk = "v"\n\n[plugins.empty]\n',
  );
});

test('strings are escaped, arrays and tables in arrays are inline', () => {
  expect(toml({ s: 'a"b\\c\n\u007f', t: [['x'], [{ a: 1, b: undefined }]] })).toBe(
    's = "a\\"b\\\\c\\n\\u007f"\nt = [["x"], [{ a = 1 }]]\n',
  );
});
