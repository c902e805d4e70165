import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { baseline } from '../../../activities/resources/baseline.ts';
import { directory } from '../../../activities/resources/directory.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { undo } from '../../../activities/resources/engine/undo.ts';
import { file } from '../../../activities/resources/file.ts';
import { parseLedger, readLedger } from '../../../activities/resources/ledger.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import { service } from '../../../activities/resources/service.ts';
import { symlink } from '../../../activities/resources/symlink.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());

const run = (resources: readonly Resource[], phase = 'test') =>
  converge({ remote: host, resources, facts: FACTS, mode: 'apply', phase, signal: new AbortController().signal });
const takeBack = async () => {
  const { entries } = await readLedger(host);
  const changes = [];
  for (const stage of ['first', 'middle', 'last'] as const) {
    changes.push(...(await undo(host, entries, { stage, facts: FACTS })));
  }
  return changes.map(
    ({ resource, action, detail }) =>
      `${action} ${resource.replace(host.root, '')} ${detail.replaceAll(host.root, '')}`,
  );
};
const keys = async () => (await readLedger(host)).entries.map(({ kind, id }) => `${kind}:${id.replace(host.root, '')}`);

describe.skipIf(!RUNS_HERE)('the ledger of a host', () => {
  it('lists what we made, in order, with the parent folders', async () => {
    await run([
      directory(host.path('a/b'), { mode: 0o700 }),
      file(host.path('a/b/c/x'), 'x'),
      symlink(host.path('l'), 'x'),
    ]);
    expect(await keys()).toEqual(['directory:/a', 'directory:/a/b', 'directory:/a/b/c', 'file:/a/b/c/x', 'file:/l']);
    expect(await takeBack()).toEqual([
      'remove file:/l /l',
      'remove file:/a/b/c/x /a/b/c/x',
      'remove directory:/a/b/c /a/b/c',
      'remove directory:/a/b /a/b',
      'remove directory:/a /a',
    ]);
    expect(existsSync(host.path('a'))).toBe(false);
    expect(await readLedger(host)).toEqual({ entries: [], complete: true });
    expect(await takeBack()).toEqual([]);
  });

  it('brings back what it replaced, with mode, and what was a link', async () => {
    writeFileSync(host.path('conf'), 'theirs');
    chmodSync(host.path('conf'), 0o640);
    symlinkSync('conf', host.path('link'));
    mkdirSync(host.path('dir'), { mode: 0o750 });
    await run([
      file(host.path('conf'), 'ours'),
      file(host.path('link'), 'ours'),
      directory(host.path('dir'), { mode: 0o700 }),
    ]);
    expect(readFileSync(host.path('conf'), 'utf8')).toBe('ours');
    await run([file(host.path('conf'), 'ours, later')]);
    expect((await takeBack()).map((line) => line.split(' ')[0])).toEqual(['update', 'update', 'update']);
    expect(readFileSync(host.path('conf'), 'utf8')).toBe('theirs');
    expect(statSync(host.path('conf')).mode & 0o777).toBe(0o640);
    expect(lstatSync(host.path('link')).isSymbolicLink()).toBe(true);
    expect(readlinkSync(host.path('link'))).toBe('conf');
    expect(statSync(host.path('dir')).mode & 0o777).toBe(0o750);
  });

  it('leaves what was there as it should be, and what others put into our folders', async () => {
    writeFileSync(host.path('same'), 'x');
    await run([file(host.path('same'), 'x'), directory(host.path('ours')), file(host.path('ours/a'), 'a')]);
    writeFileSync(host.path('ours/theirs'), '');
    expect(await takeBack()).toEqual([
      'remove file:/ours/a /ours/a',
      'keep directory:/ours it holds what Kubewright did not place: theirs',
    ]);
    expect(existsSync(host.path('same'))).toBe(true);
    expect(existsSync(host.path('ours/theirs'))).toBe(true);
  });

  it('is written before the change: a crash in between loses nothing', async () => {
    writeFileSync(host.path('conf'), 'theirs');
    const crash = file(host.path('conf'), 'ours');
    // The folder in the way makes the batch fail after its first change.
    mkdirSync(host.path('folder'));
    writeFileSync(host.path('folder/x'), '');
    await expect(run([crash, file(host.path('folder'), 'x')])).rejects.toThrow();
    expect(readFileSync(host.path('conf'), 'utf8')).toBe('ours');
    await run([crash]);
    // A power cut in the middle of a line.
    appendFileSync(host.path('state/kubewright/ledger/placed'), 'file:/etc/half');
    await run([file(host.path('other'), '')]);
    expect(await keys()).toEqual(['file:/conf', 'file:/folder', 'file:/other']);
  });

  it('takes one round trip less on a host that needs nothing, and none more on one that does', async () => {
    const resources = [file(host.path('a'), ''), directory(host.path('b'))];
    await run(resources);
    expect(host.ran).toHaveLength(2);
    await run(resources);
    expect(host.ran).toHaveLength(3);
  });

  it('reports a host that a version without a ledger built', async () => {
    mkdirSync(host.path('state/kubewright/stamps'), { recursive: true });
    writeFileSync(host.path('state/kubewright/stamps/unit.x.service'), '');
    expect(await readLedger(host)).toEqual({ entries: [], complete: false });
    await run([file(host.path('a'), '')]);
    expect(await readLedger(host)).toMatchObject({ complete: false });
  });

  it('records a baseline once', async () => {
    const seen = () => [baseline('tables', 'echo "$(date +%N) tables"')];
    expect((await run(seen())).changes).toHaveLength(1);
    const { entries } = await readLedger(host);
    expect(entries[0]).toMatchObject({
      kind: 'witness',
      id: 'tables',
      prior: { said: expect.stringMatching(/ tables\n$/) },
    });
    expect((await run(seen())).changes).toEqual([]);
    expect((await readLedger(host)).entries).toEqual(entries);
  });

  it('stops units, takes what they filled, and brings back a unit that was there', async () => {
    host.program(
      'systemctl',
      `case "$*" in
        show*'ours.service chrony.service')
          printf 'ActiveState=inactive\\nUnitFileState=\\nNeedDaemonReload=no\\n\\n'
          printf 'ActiveState=active\\nUnitFileState=enabled\\nNeedDaemonReload=no\\n' ;;
        is-active*) echo inactive; exit 3 ;;
        *) echo "$*" >>"$LOG" ;;
      esac`,
    );
    mkdirSync(host.path('before'));
    mkdirSync(host.path('full'));
    writeFileSync(host.path('full/x'), '');
    const fills = ['data', 'before', 'full'].map((name) => host.path(name));
    await run([service('ours', { unit: '[Service]\n', fills }), service('chrony', { dropIns: { x: '[Unit]\n' } })]);
    for (const folder of ['data', 'data/deep', 'before/more']) mkdirSync(host.path(folder));
    writeFileSync(host.path('log'), '');
    const changes = await takeBack();
    expect(changes).toEqual(
      expect.arrayContaining([
        'remove service:ours.service stopped, disabled',
        'remove leftover:/data /data',
        'remove leftover:/before what was in it',
        'update unit-state:chrony.service running',
      ]),
    );
    expect(existsSync(host.path('data'))).toBe(false);
    expect(existsSync(host.path('before'))).toBe(true);
    expect(existsSync(host.path('before/more'))).toBe(false);
    expect(existsSync(host.path('full/x'))).toBe(true);
    expect(existsSync(host.path('units/ours.service'))).toBe(false);
    expect(existsSync(host.path('units/chrony.service.d/x.conf'))).toBe(false);
    expect(readFileSync(host.path('log'), 'utf8')).toMatch(
      /disable .* ours\.service\n(.*\n)*daemon-reload\n(.*\n)*restart -- chrony\.service\n$/,
    );
  });

  it('reports what cannot be undone, undoes the rest, and continues from there', async () => {
    await run([file(host.path('a'), 'a'), file(host.path('b'), 'b')]);
    host.program('rm', `case "$*" in *"/b") echo 'rm: it is stuck' >&2; exit 1 ;; esac\nexec /bin/rm "$@"`);
    await expect(takeBack()).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: `could not take back file:${host.path('b')}`,
      evidence: expect.stringContaining('it is stuck'),
    });
    expect(existsSync(host.path('a'))).toBe(false);
    host.program('rm', 'exec /bin/rm "$@"');
    expect(await takeBack()).toEqual(['remove file:/b /b']);
  });
});

it('a ledger is read as far as it can be', () => {
  const lines = [
    'file:/a\tprepare\t{}',
    'file:/a\tnodes\t{"x":1}',
    'file:/torn\tprep',
    '',
    'nonsense',
    'file:/b\tx\t{"y',
  ];
  expect(parseLedger(lines)).toEqual([{ kind: 'file', id: '/a', phase: 'prepare', prior: {} }]);
});
