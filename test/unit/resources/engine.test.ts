import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { absent } from '../../../activities/resources/absent.ts';
import { directory } from '../../../activities/resources/directory.ts';
import { converge, markVerified } from '../../../activities/resources/engine/engine.ts';
import { file } from '../../../activities/resources/file.ts';
import { type Resource, secretText } from '../../../activities/resources/resource.ts';
import { service } from '../../../activities/resources/service.ts';
import { symlink } from '../../../activities/resources/symlink.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());

const run = (resources: readonly Resource[], mode: 'apply' | 'check' = 'apply') =>
  converge({
    remote: host,
    resources,
    facts: FACTS,
    mode,
    phase: 'test',
    signal: new AbortController().signal,
    retries: { totalMs: 300, pauseMs: 10 },
  });

/** A fake systemctl: its arguments go to the log, its output comes from files. */
const SYSTEMCTL = `
state=${'$'}{0%/bin/*}/systemd; mkdir -p "$state"
case "$*" in
  show*) while [ "$1" != -- ]; do shift; done; shift; between=
    for unit; do
      printf "$between"'ActiveState=%s\\nUnitFileState=%s\\nNeedDaemonReload=no\\n' "$(cat "$state/active.$unit" 2>/dev/null || echo inactive)" "$(cat "$state/enabled.$unit" 2>/dev/null || echo disabled)"
      between='\\n'
    done ;;
  *) echo "$*" >>"$LOG"
    verb=; for word; do case $word in --*) ;; *) if [ -z "$verb" ]; then verb=$word; else case $verb in
      enable) echo enabled >"$state/enabled.$word" ;;
      restart|start) echo active >"$state/active.$word" ;;
      stop) echo inactive >"$state/active.$word" ;;
      is-active) cat "$state/active.$word"; [ "$(cat "$state/active.$word")" = active ] || exit 3 ;;
    esac; fi ;; esac; done ;;
esac`;
const log = () => (existsSync(host.path('log')) ? readFileSync(host.path('log'), 'utf8').trim().split('\n') : []);

describe.skipIf(!RUNS_HERE)('converge', () => {
  it('makes files, folders and links in two round trips, and then changes nothing in one', async () => {
    writeFileSync(host.path('old'), 'x');
    const resources = [
      directory(host.path('etc/deep'), { mode: 0o700 }),
      file(host.path('etc/deep/a'), 'hello\n'),
      file(host.path('etc/deep/secret key'), secretText("it's $HOME `id`\n"), { mode: 0o600 }),
      file(host.path('etc/empty'), ''),
      symlink(host.path('etc/link'), 'deep/a'),
      absent(host.path('old')),
    ];
    const first = await run(resources);
    expect(first.changes.map(({ resource, action }) => `${action} ${resource.split('/').at(-1)}`)).toEqual([
      'create deep',
      'create a',
      'create secret key',
      'create empty',
      'create link',
      'remove old',
    ]);
    expect(host.ran).toHaveLength(2);
    expect(readFileSync(host.path('etc/link'), 'utf8')).toBe('hello\n');
    expect(readFileSync(host.path('etc/deep/secret key'), 'utf8')).toBe("it's $HOME `id`\n");
    expect(statSync(host.path('etc/deep/secret key')).mode & 0o777).toBe(0o600);
    expect(statSync(host.path('etc/deep')).mode & 0o777).toBe(0o700);
    expect(existsSync(host.path('old'))).toBe(false);
    expect(host.ran.map(({ text }) => text).join('')).not.toContain('$HOME `id`');

    const second = await run(resources);
    expect(second.changes).toEqual([]);
    expect(host.ran).toHaveLength(3);
  });

  it('changes nothing in mode check, and lists the same changes as apply', async () => {
    host.program('systemctl', SYSTEMCTL);
    const resources = [file(host.path('conf'), 'x'), service('etcd', { restartOn: [host.path('conf')] })];
    const check = await run(resources, 'check');
    expect(host.ran).toHaveLength(1);
    expect(existsSync(host.path('conf'))).toBe(false);
    expect(check.restarts).toEqual(['etcd']);
    const apply = await run(resources);
    expect(apply.changes).toEqual(check.changes);
  });

  it('restores mode, type and content after a change by others', async () => {
    const resources = [
      file(host.path('a'), 'a', { mode: 0o640 }),
      file(host.path('b'), 'b'),
      file(host.path('c'), 'c'),
    ];
    await run(resources);
    writeFileSync(host.path('b'), 'tampered');
    replaceByLink(host.path('c'), host.path('b'));
    chmodSync(host.path('a'), 0o777);
    const { changes } = await run(resources);
    expect(changes.map(({ detail }) => detail.split(' ')[0])).toEqual(['mode', 'content', 'is']);
    expect(statSync(host.path('a')).mode & 0o777).toBe(0o640);
    expect(readFileSync(host.path('b'), 'utf8')).toBe('b');
    expect(readFileSync(host.path('c'), 'utf8')).toBe('c');
    expect((await run(resources)).changes).toEqual([]);
  });

  it('starts neighbouring services with one reload and one restart, and restarts only what depends on a change', async () => {
    host.program('systemctl', SYSTEMCTL);
    const resources = (conf: string) => [
      file(host.path('a.conf'), conf),
      file(host.path('b.conf'), 'b'),
      service('a', { unit: '[Service]\nExecStart=/a\n', restartOn: [host.path('a.conf')] }),
      service('b', { unit: '[Service]\nExecStart=/b\n', restartOn: [host.path('b.conf')], dropIns: { x: '[Unit]\n' } }),
    ];
    const first = await run(resources('1'));
    expect(first.restarts).toEqual(['a', 'b']);
    expect(log()).toEqual([
      '--no-reload --quiet enable -- a.service b.service',
      'daemon-reload',
      'restart -- a.service b.service',
    ]);
    expect(readFileSync(host.path('units/b.service.d/x.conf'), 'utf8')).toBe('[Unit]\n');
    expect((await run(resources('1'))).changes).toEqual([]);

    const second = await run(resources('2'));
    expect(second.restarts).toEqual(['a']);
    expect(log().slice(3)).toEqual(['restart -- a.service']);
    expect((await run(resources('2'))).changes).toEqual([]);
  });

  it('makes up for a restart that a crash cut off, even when the desired state is what it was', async () => {
    host.program('systemctl', SYSTEMCTL);
    const resources = [file(host.path('conf'), 'x'), service('a', { restartOn: [host.path('conf')] })];
    await run(resources);
    writeFileSync(host.path('conf'), 'tampered');
    host.program('systemctl', SYSTEMCTL.replace('*) echo "$*"', 'restart*) kill -9 "$PPID" ;;\n  *) echo "$*"'));
    await expect(run(resources)).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
    expect(readFileSync(host.path('conf'), 'utf8')).toBe('x');
    host.program('systemctl', SYSTEMCTL);
    const { changes, restarts } = await run(resources);
    expect(restarts).toEqual(['a']);
    expect(changes).toHaveLength(1);
    expect((await run(resources)).changes).toEqual([]);
  });

  it('remembers what was verified until something changes', async () => {
    const resources = [file(host.path('conf'), 'x')];
    const first = await run(resources);
    expect(first.verified).toBe(false);
    await markVerified(host, 'test', first.desiredDigest);
    expect((await run(resources)).verified).toBe(true);
    writeFileSync(host.path('conf'), 'y');
    expect((await run(resources)).changes).toHaveLength(1);
    // The change was applied, but not verified afterwards.
    expect((await run(resources)).verified).toBe(false);
  });

  it('names the resource that failed, and the unit with its journal', async () => {
    mkdirSync(host.path('folder'));
    writeFileSync(host.path('folder/x'), '');
    const error = await run([file(host.path('a'), '1'), file(host.path('folder'), 'x')]).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'COMMAND_FAILED' });
    expect(String(error)).toContain(`file:${host.path('folder')}`);
    expect((error as { evidence: string }).evidence).toMatch(/directory/);

    host.program(
      'systemctl',
      'case "$*" in show*) echo ActiveState=inactive ;; restart*) exit 1 ;; is-active*) echo failed; exit 3 ;; esac',
    );
    host.program('journalctl', 'echo "bind: address already in use"');
    await expect(run([service('etcd', { unit: 'x' })])).rejects.toMatchObject({
      code: 'UNIT_FAILED',
      message: 'etcd.service does not run (failed)',
      evidence: expect.stringContaining('address already in use'),
    });
  });

  it('splits what is too large for one argument', async () => {
    const long = `many/${'x'.repeat(230)}`;
    const resources = Array.from({ length: 80 }, (_, n) => file(host.path(`${long}${n}`), String(n)));
    expect((await run(resources)).changes).toHaveLength(80);
    expect(host.ran.length).toBeGreaterThan(2);
    for (const { text } of host.ran.slice(1)) expect(text.length).toBeLessThan(64 * 1024);
    expect(readFileSync(host.path(`${long}79`), 'utf8')).toBe('79');
    expect((await run(resources)).changes).toEqual([]);
  });

  it('refuses contradictory lists', async () => {
    await expect(run([file('/a/b', ''), file('/a/b', 'x')])).rejects.toThrow('two resources named file:/a/b');
    host.program('systemctl', SYSTEMCTL);
    await expect(run([service('x', { restartOn: ['/nowhere'] })])).rejects.toThrow('/nowhere');
    expect(() => file('relative', '')).toThrow('absolute');
    expect(() => file('/a/../b', '')).toThrow('absolute');
    expect(() => absent('/etc')).toThrow('refusing');
  });
});

function replaceByLink(path: string, target: string): void {
  rmSync(path);
  symlinkSync(target, path);
}
