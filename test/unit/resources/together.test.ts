import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quote } from '../../../activities/host/quote.ts';
import { directory } from '../../../activities/resources/directory.ts';
import { probeScript, readAnswer, splitProbe } from '../../../activities/resources/engine/probe.ts';
import { kindOf } from '../../../activities/resources/engine/resource-kinds.ts';
import { file } from '../../../activities/resources/file.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import { service } from '../../../activities/resources/service.ts';
import { LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());

describe.skipIf(!RUNS_HERE)('resources of a kind read together', () => {
  /** What each one's own probe says, and what the joint one says of it. */
  const bothWays = async (resources: readonly Resource[]) => {
    const kind = kindOf(resources[0]!);
    const output = async (script: string) =>
      splitProbe((await host.script(probeScript([script], 'm'))).stdout, 1, 'm')[0]!;
    const parse = (said: string, at: number) => kind.parse(said, resources[at]!);
    const alone: string[] = [];
    for (const each of resources) alone.push(await output(kind.probe(each, quote)));
    const joint = kind.together!.split(await output(kind.together!.probe(resources, quote)), resources);
    return { alone: alone.map(parse), together: joint.map(parse), nothing: kind.together!.split('', resources) };
  };

  it('files: what there is, what is something else, what is not there, and any name', async () => {
    const names = [
      'plain',
      'empty',
      "it's $gone",
      'a|b|c',
      'back\\slash',
      '-n',
      ' x ',
      '--- sums',
      'link',
      'folder',
      'dangling',
    ];
    for (const name of names.slice(0, 8)) writeFileSync(host.path(name), name === 'empty' ? '' : `content of ${name}`);
    chmodSync(host.path('plain'), 0o640);
    symlinkSync('plain', host.path('link'));
    symlinkSync('nowhere', host.path('dangling'));
    mkdirSync(host.path('folder'));
    execFileSync('mkfifo', [host.path('fifo')]);
    const resources = ['absent', ...names, 'fifo', 'plain/below'].map((name) => file(host.path(name), 'x'));
    const { alone, together, nothing } = await bothWays(resources);
    expect(together).toEqual(alone);
    expect(together.map((each) => (each as { type: string }).type)).toEqual([
      ...['absent', ...Array.from({ length: 8 }, () => 'file'), 'symlink', 'directory', 'symlink', 'other', 'absent'],
    ]);
    expect(nothing).toEqual(resources.map(() => ''));
  });

  it('folders: also behind a link, and non-folders', async () => {
    mkdirSync(host.path('a/b'), { recursive: true, mode: 0o700 });
    symlinkSync('a', host.path('link'));
    symlinkSync('nowhere', host.path('dangling'));
    writeFileSync(host.path('file'), '');
    const resources = ['a', 'a/b', 'link', 'link/b', 'dangling', 'file', 'absent'].map((name) =>
      directory(host.path(name)),
    );
    const { alone, together } = await bothWays(resources);
    expect(together).toEqual(alone);
    expect(together.map((each) => (each as { type: string }).type)).toEqual([
      ...['directory', 'directory', 'directory', 'directory', 'absent', 'absent', 'absent'],
    ]);
  });

  it('units: each with its own state, stamp and files; an answer of too few is no answer', async () => {
    const say = (units: string) =>
      host.program(
        'systemctl',
        `while [ "$1" != -- ]; do shift; done; shift; between=
for unit ${units}; do printf "$between"'ActiveState=%s\\nUnitFileState=enabled\\nNeedDaemonReload=no\\n' "$unit"; between='\\n'; done`,
      );
    say('');
    mkdirSync(host.path('units'));
    mkdirSync(host.path('state/kubewright/stamps'), { recursive: true });
    writeFileSync(host.path('units/b.service'), '[Service]\n');
    writeFileSync(host.path('state/kubewright/stamps/unit.b.service'), 'stamp-of-b\n');
    const resources = [service('a', { unit: '[Service]\n' }), service('b', { unit: '[Service]\n' }), service('c')];
    const { alone, together } = await bothWays(resources);
    expect(together).toEqual(alone);
    expect(together[1]).toMatchObject({ active: 'b.service', stamp: 'stamp-of-b' });
    expect((together[1] as { files: string[] }).files[0]).toMatch(/^[0-9a-f]{64}$/);
    say('in b.service c.service');
    const marker = 'm';
    const { together: joint } = kindOf(resources[0]!);
    const { stdout } = await host.script(probeScript([joint!.probe(resources, quote)], marker));
    const split = joint!.split(splitProbe(stdout, 1, marker)[0]!, resources);
    expect(split.map((each, at) => readAnswer(each, marker, resources[at]!).known)).toEqual([false, false, false]);
  });
});
