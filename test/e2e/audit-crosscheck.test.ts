import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, labDown, labUp } from '../../lab/lab.ts';
import { Workbench } from '../integration/support.ts';
import { askWitness, EMPTY_SHA256, installWitness, programOf, type Witnessed } from './sshd-witness.ts';

/** The journal against what sshd on a host wrote down by itself: nothing ran that is not in it, nothing is in it that did not run. */

const NAME = 'kwea';
let lab: Lab;
let bench: Workbench;

beforeAll(async () => {
  await labDown(NAME);
  lab = await labUp({ name: NAME, hosts: 1, mirror: false });
  await installWitness(lab);
  bench = new Workbench(lab);
  await bench.open();
});
afterAll(async () => {
  await bench?.close();
  await labDown(NAME);
});

/** Program, input and exit code: what both sides must agree on. */
const entry = (argv: readonly string[], stdinSha256: string, code: number | null): string =>
  JSON.stringify({ argv, stdinSha256, code });

function fromHost({ line, stdinSha256, code }: Witnessed): string {
  const argv = programOf(line);
  // The journal says path, mode and owner of an upload; the rest of its command line is always the same script.
  const upload = argv[0] === 'sh' && argv[3] === 'upload';
  return entry(upload ? ['upload', argv[4]!, argv[7]!, argv[8]!] : argv, stdinSha256, code);
}

it('the journal and sshd tell of the same commands, inputs and exit codes', async () => {
  const host = lab.hosts[0]!.name;
  await bench.run({ phase: 'preflight', host });
  await bench.run({ phase: 'prepare', host, mode: 'check' });
  await bench.run({ phase: 'prepare', host });
  await bench.run({ phase: 'prepare', host });
  const { items } = await bench.store.journal.list({ cluster: NAME, operation: 'op', limit: 200, cursor: undefined });
  const recorded = items.map(({ argv, stdinSha256, exitCode }) => entry(argv, stdinSha256 ?? EMPTY_SHA256, exitCode));

  const { commands, log } = await askWitness(lab, host);
  expect(commands.length).toBeGreaterThan(5);
  expect(commands.map(fromHost).sort()).toEqual(recorded.sort());
  // sshd's own log counts as many sessions as the witness saw: nothing went past it, no shell, no sftp.
  const sessions = log.filter((line) => line.startsWith('Starting session:'));
  expect(sessions.filter((line) => line.includes('forced-command'))).toHaveLength(commands.length);
  expect(sessions).toHaveLength(commands.length);
  expect(log.filter((line) => /sftp/i.test(line))).toEqual([]);
});
