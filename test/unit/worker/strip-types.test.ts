import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { API_FLAGS, WORKER_FLAGS } from '../../../worker/node-flags.ts';

const root = join(import.meta.dirname, '../../..');
const source = join(root, 'worker', `strip-types-${process.pid}.ts`);
afterEach(() => rmSync(source, { force: true }));

/** What a process prints that imports the source: the line of an error in it, and whether Node's own stripper is loaded. */
function load(flags: readonly string[]): { line: string; amaro: boolean } {
  const program = `
    const { thrown } = await import(${JSON.stringify(source)});
    const line = /strip-types-\\d+\\.ts:(\\d+:\\d+)/.exec(thrown().stack)[1];
    console.log(JSON.stringify({ line, amaro: process.moduleLoadList.some((name) => /amaro/.test(name)) }));`;
  return JSON.parse(
    execFileSync(process.execPath, [...flags, '--input-type=module', '--eval', program], { encoding: 'utf8' }),
  );
}

it.each([
  ['API', API_FLAGS],
  ['worker', WORKER_FLAGS],
])(
  'the %s loads a file that was stripped before without the stripper, with the lines of the source',
  (_name, flags) => {
    // A comment of its own makes the content new.
    writeFileSync(
      source,
      `// ${Date.now()} ${Math.random()}\ninterface Gone {\n  a: string;\n}\nexport const thrown = (): Error => new Error('x' as Gone['a']);\n`,
    );
    const plain = load([]);
    expect(plain).toEqual({ line: '5:36', amaro: true });
    expect(load(flags)).toEqual(plain);
    expect(load(flags)).toEqual({ line: '5:36', amaro: false });
  },
);
