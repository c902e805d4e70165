import { expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();
const NAME = 'field-tcsh';

it('a host whose root has tcsh and a start-up file with output becomes a cluster, and is unchanged afterwards', async () => {
  await field.install('cp-1', 'tcsh');
  await field.prepared(
    'cp-1',
    `printf 'set noclobber\\necho "Welcome"\\n' >/root/.tcshrc; usermod -s /bin/tcsh root`,
    'usermod -s /bin/bash root; rm -f /root/.tcshrc',
    async () => {
      const before = await field.on('cp-1', 'ls -A /etc /root /usr/local/bin');
      const spec = field.spec(NAME);
      try {
        await field.built(spec);
        const again = await field.built(spec);
        expect(again.tasks.map(({ changeCount }) => changeCount)).toEqual(again.tasks.map(() => 0));
      } finally {
        await field.remove(NAME);
      }
      expect(await field.on('cp-1', 'ls -A /etc /root /usr/local/bin')).toBe(before);
    },
  );
});
