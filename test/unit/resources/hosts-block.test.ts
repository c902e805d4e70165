import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withBlock } from '../../../activities/resources/hosts-entries.ts';

describe('the block in /etc/hosts', () => {
  const block = '# kubewright begin: x\n10.0.0.1 a\n# kubewright end\n';

  it('leaves every other line as it is, and settles', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z0-9. #]{0,20}$/)), (lines) => {
        const text = lines.map((line) => `${line}\n`).join('');
        const once = withBlock(text, block);
        expect(once).toBe(text + block);
        expect(withBlock(once, block)).toBe(once);
        expect(withBlock(`${block}${text}`, block)).toBe(text + block);
      }),
    );
  });

  it('loses nothing of the user to a block without its end', () => {
    expect(withBlock('# kubewright begin: x\n127.0.0.1 mine\n', block)).toBe(`127.0.0.1 mine\n${block}`);
    expect(
      withBlock('# kubewright begin\n1.1.1.1 mine\n# kubewright begin\n2.2.2.2 old\n# kubewright end\n', block),
    ).toBe(`1.1.1.1 mine\n${block}`);
    expect(withBlock('127.0.0.1 localhost', block)).toBe(`127.0.0.1 localhost\n${block}`);
  });
});
