import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { apt } from '../../../activities/resources/apt.ts';
import { dnf } from '../../../activities/resources/dnf.ts';

/** Stand-ins for dpkg and rpm with one package, which has two units: one failed while it was removed, the other is there still. */
it.each([
  ['apt', apt],
  ['dnf', dnf],
])('%s: a unit that failed while its package was removed is not listed any more', (_name, { undo }) => {
  const folder = mkdtempSync(join(tmpdir(), 'kw-units-'));
  const program = (name: string, body: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  const paths = ['/usr/lib/systemd/system/gone.service', '/lib/systemd/system/stays.service', '/usr/sbin/gone'];
  const list = `printf '%s\\n' ${paths.join(' ')}`;
  const isThere = `[ ! -e ${folder}/removed ]`;
  program('dpkg-query', `case "$*" in -L*) ${list} ;; *) ${isThere} && printf installed || exit 1 ;; esac`);
  program('dpkg', `: >${folder}/removed`);
  program('rpm', `case "$1" in -ql) ${list} ;; -e) : >${folder}/removed ;; -q) ${isThere} ;; esac`);
  program(
    'systemctl',
    `case "$*" in
  'show -p LoadState -- gone.service') echo LoadState=not-found ;;
  show*) echo LoadState=loaded ;;
  *) echo "$*" >>${folder}/log ;;
esac`,
  );
  try {
    const script = `KW_DRY=\nkw_tell() { echo "$KW_KEY $*"; }\n${undo}\nkw_purge pack`;
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };
    const said = execFileSync('sh', ['-euc', script], { env, encoding: 'utf8' });
    expect(said.trim()).toBe('packages:pack removed pack');
    expect(readFileSync(join(folder, 'log'), 'utf8').trim()).toBe('reset-failed -- gone.service');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
