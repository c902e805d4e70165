import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import hostsKind, { hostsEntries, withBlock } from '../../../activities/resources/hosts-entries.ts';

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

describe('two blocks in /etc/hosts', () => {
  const names = [{ address: '10.0.0.1', names: ['cp-1'] }];
  const api = [{ address: '10.0.0.1', names: ['api.test'] }];
  const main = hostsEntries(names, { moves: { name: 'api.test', block: 'host-names' } });
  const own = hostsEntries(api, { block: 'host-names' });
  const written = (resource: typeof main, text: string) => {
    let content = '';
    hostsKind.fragment!(resource, { text }, {
      payload: (given: string) => {
        content = given;
        return 0;
      },
    } as never);
    return content;
  };

  it('stand beside each other, and neither is the other', () => {
    const both = written(own, written(main, '127.0.0.1 localhost\n'));
    expect(both).toContain('10.0.0.1 cp-1\n# kubewright end\n# kubewright host-names begin');
    expect(hostsKind.diff(main, { text: both }, new Map() as never)).toEqual([]);
    expect(hostsKind.diff(own, { text: both }, new Map() as never)).toEqual([]);
    expect(written(main, both)).toContain('10.0.0.1 api.test\n# kubewright host-names end\n');
    expect(own.id).not.toBe(main.id);
  });

  it('lines of an earlier version move in the write that takes them out, and are taken away with the other block', () => {
    const earlier = '# kubewright begin: x\n10.0.0.1 cp-1\n10.0.0.1 api.test\n10.0.0.2 api.test\n# kubewright end\n';
    const text = written(main, earlier);
    expect(text.match(/^10\.0\.0\.\d api\.test$/gm)).toEqual(['10.0.0.1 api.test', '10.0.0.2 api.test']);
    expect(text.indexOf('api.test')).toBeGreaterThan(text.indexOf('# kubewright end'));
    expect(hostsKind.ledgerEntries!(main, { text: earlier }).map(({ id }) => id)).toEqual([undefined, own.id]);
    // The phase of that block takes it over.
    expect(hostsKind.diff(own, { text }, new Map() as never)).toMatchObject([{ action: 'update' }]);
    expect(written(own, text).match(/api\.test/g)).toHaveLength(1);
    expect(hostsKind.ledgerEntries!(main, { text }).map(({ id }) => id)).toEqual([undefined]);
  });
});
