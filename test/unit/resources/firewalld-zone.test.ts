import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { undo } from '../../../activities/resources/engine/undo.ts';
import { firewalldRules } from '../../../activities/resources/firewalld-rules.ts';
import { zoneTrace } from '../../../activities/resources/firewalld-zone.ts';
import { readLedger } from '../../../activities/resources/ledger.ts';
import { LEDGER_FUNCTIONS } from '../../../activities/resources/ledger-script.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

/** As a distribution has it, with a comment, which firewalld does not write. */
const VENDOR = '<!-- of the distribution -->\nservice ssh\n';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
  mkdirSync(host.path('firewalld/zones'), { recursive: true });
  mkdirSync(host.path('vendor'));
  writeFileSync(host.path('vendor/public.xml'), VENDOR);
  host.program('systemctl', 'exit 0');
  // Both write a zone as firewalld does: all of it, in their own form, with a backup of the file beside it.
  const tool = `conf=${host.path('firewalld')} zone=public verb= lasting=$offline
for word; do case $word in
  --permanent) lasting=yes ;;
  --system-config=*) conf=\${word#*=} ;;
  --zone=*) zone=\${word#*=} ;;
  --add-* | --remove-*) [ -z "$lasting" ] || {
    file=$conf/zones/$zone.xml from=$conf/zones/$zone.xml
    [ -e "$from" ] || from=${host.path('vendor')}/$zone.xml
    line=\${word#--*-}
    { grep -v '^<!--' "$from" | grep -vxF -- "$line"; case $word in --add-*) printf '%s\\n' "$line" ;; esac; } >"$conf/new"
    [ ! -e "$file" ] || cp "$file" "$file.old"
    mv "$conf/new" "$file"
  } ;;
esac; done`;
  host.program('firewall-offline-cmd', `offline=yes\n${tool}`);
  host.program(
    'firewall-cmd',
    `[ ! -e ${host.path('stopped')} ] || { echo 'not running' >&2; exit 252; }
case "$*" in
  --state) exit 0 ;;
  --get-zone-of-interface=*) exit 1 ;;
  --get-default-zone) echo public ;;
  '--permanent --list-all-zones') cat ${host.path('zones.lasting')} 2>/dev/null; exit 0 ;;
  --list-all-zones) cat ${host.path('zones.now')} 2>/dev/null; [ ! -e ${host.path('in-force')} ] || echo 'ports: 80/tcp'; exit 0 ;;
  *--list-*) exit 0 ;;
  *--reload) echo reload >>"$LOG"; exit 0 ;;
esac
offline=
${tool}`,
  );
});
afterEach(() => host.dispose());

/** Paths in the notes of a build are those of a real host: here they are noted before it, in the places of this one. */
const note = () =>
  host.script(
    `${LEDGER_FUNCTIONS}\nkw_ledger_open\nkw_note firewalld-zone:public prepare '{}' ${zoneTrace('public')
      .replaces!.map((path) => `=${path}`)
      .join(' ')}\nkw_ledger_close`,
  );
const build = () =>
  converge({
    remote: host,
    resources: [
      firewalldRules(
        {
          openings: [{ protocol: 'tcp', port: 6443, what: 'kube-apiserver', sources: ['10.0.0.2', '10.0.0.3'] }],
          passages: [],
        },
        '10.0.0.1',
      ),
    ],
    facts: FACTS,
    mode: 'apply',
    phase: 'prepare',
    signal: new AbortController().signal,
  });
const takeBack = async () =>
  undo(host, (await readLedger(host)).entries, { stage: 'middle', facts: { ...FACTS, packageManager: 'dnf' } });
const ZONE = 'firewalld/zones/public.xml';
const text = (name: string) => (existsSync(host.path(name)) ? readFileSync(host.path(name), 'utf8') : null);
const files = () => ({ zone: text(ZONE), backup: text(`${ZONE}.old`) });

describe.skipIf(!RUNS_HERE)('the file of a zone', () => {
  it('goes with our rules where only the distribution had one', async () => {
    await note();
    await build();
    expect(files().zone).toContain('10.0.0.2');
    await takeBack();
    expect(files()).toEqual({ zone: null, backup: null });
    expect(text('log')).toBe('reload\n');
  });

  it.each([
    { version: 1, now: 'public (active)\n  interfaces: eth0\n', lasting: 'public\n  interfaces: \n' },
    {
      version: 2,
      now: 'public (default, active)\n  interfaces: eth0\n',
      lasting: 'public (default)\n  interfaces: \n',
    },
    { version: 2, now: 'public (default, active)\n  services: ssh\n', lasting: 'public\n  services: ssh\n' },
  ])(
    'is taken back with a reload whatever firewalld $version prints behind the name: $now',
    async ({ now, lasting }) => {
      await note();
      await build();
      writeFileSync(host.path('zones.now'), now);
      writeFileSync(host.path('zones.lasting'), lasting);
      await takeBack();
      expect(text('log')).toBe('reload\n');
    },
  );

  it('is taken back without a reload where something is only in force', async () => {
    await note();
    await build();
    writeFileSync(host.path('in-force'), '');
    await takeBack();
    expect(files()).toEqual({ zone: null, backup: null });
    expect(text('log')).toBeNull();
  });

  it('is, with its backup, what it was before us', async () => {
    writeFileSync(host.path(ZONE), '<!-- mine -->\nservice http\n');
    writeFileSync(host.path(`${ZONE}.old`), 'service ftp\n');
    await note();
    await build();
    expect(files().backup).not.toBe('service ftp\n');
    await takeBack();
    expect(files()).toEqual({ zone: '<!-- mine -->\nservice http\n', backup: 'service ftp\n' });
  });

  it('stays, without our rules, where others changed it since', async () => {
    await note();
    await build();
    writeFileSync(host.path(ZONE), `${files().zone}service dns\n`);
    await takeBack();
    expect(files()).toEqual({ zone: 'service ssh\nservice dns\n', backup: null });
  });

  it('is taken back also when firewalld was stopped since', async () => {
    await note();
    await build();
    writeFileSync(host.path('stopped'), '');
    await takeBack();
    expect(files()).toEqual({ zone: null, backup: null });
  });

  it('is noted before the first rule of ours', async () => {
    await build();
    const kinds = (await readLedger(host)).entries.map(({ kind }) => kind).filter((kind) => kind !== 'directory');
    expect(kinds).toEqual(['firewalld-zone', 'firewalld-rules', 'firewalld-rules']);
  });

  it('counts as changed by others where an earlier version added rules', async () => {
    mkdirSync(host.path('state/kubewright/ledger/kept'), { recursive: true });
    const entry = 'firewalld-rules:public/10.0.0.9 6443/tcp\tprepare\t{}\n';
    writeFileSync(host.path('state/kubewright/ledger/placed'), entry);
    await build();
    expect((await readLedger(host)).entries.map(({ kind }) => kind)).not.toContain('firewalld-zone');
  });
});
