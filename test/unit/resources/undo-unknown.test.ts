import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { undo } from '../../../activities/resources/engine/undo.ts';
import type { LedgerEntry } from '../../../activities/resources/ledger.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

/** A teardown strikes off the ledger what is gone. What cannot be asked for is not gone. */
let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());

const failing = (name: string, words: string, code: number) => host.program(name, `echo "${words}" >&2; exit ${code}`);
const log = () => (existsSync(host.path('log')) ? readFileSync(host.path('log'), 'utf8') : '');

describe.skipIf(!RUNS_HERE)('taking back', () => {
  const unit: LedgerEntry[] = [{ kind: 'service', id: 'x.service', phase: 'test', prior: { existed: false } }];
  const ours: LedgerEntry[] = [{ kind: 'packages', id: 'chrony', phase: 'test', prior: { installed: true } }];
  const before: LedgerEntry[] = [
    { kind: 'unit-state', id: 'x.service', phase: 'test', prior: { active: 'active', enabled: 'enabled' } },
  ];

  it('does not take a systemd without an answer for stopped units', async () => {
    failing('systemctl', 'Failed to connect to bus: Connection refused', 1);
    await expect(undo(host, unit, { stage: 'first', facts: FACTS })).rejects.toMatchObject({
      evidence: expect.stringContaining('Failed to connect to bus'),
    });
    await expect(undo(host, before, { stage: 'last', facts: FACTS })).rejects.toMatchObject({
      evidence: expect.stringContaining('Failed to connect to bus'),
    });
  });

  it('skips units that systemd does not have', async () => {
    host.program(
      'systemctl',
      `case $1 in is-active) echo inactive; exit 3 ;; show) echo not-found ;; *) echo "$*" >>"$LOG" ;; esac`,
    );
    expect(await undo(host, unit, { stage: 'first', facts: FACTS })).toEqual([]);
    expect(await undo(host, before, { stage: 'last', facts: FACTS })).toEqual([]);
    expect(log()).not.toMatch(/disable|restart|stop/);
  });

  it('stops and disables what runs', async () => {
    host.program(
      'systemctl',
      `case $1 in is-active) [ ! -e "$LOG.stopped" ] && echo active || { echo inactive; exit 3; } ;; show) echo loaded ;;
stop) : >"$LOG.stopped" ;; *) echo "$*" >>"$LOG" ;; esac`,
    );
    expect(await undo(host, unit, { stage: 'first', facts: FACTS })).toMatchObject([{ detail: 'stopped, disabled' }]);
    expect(log()).toContain('disable');
  });

  it('stops first a unit of the distribution that fills folders and did not run before, and no other one', async () => {
    const of = (id: string, prior: object): LedgerEntry => ({
      kind: 'service',
      id,
      phase: 'test',
      prior: { ...prior },
    });
    host.program(
      'systemctl',
      `case $1 in is-active) shift 2; for u; do [ ! -e "$LOG.stopped" ] && echo active || echo inactive; done; [ ! -e "$LOG.stopped" ] ;;
stop) : >"$LOG.stopped"; echo "$*" >>"$LOG" ;; esac`,
    );
    const entries = [
      of('idle.service', { existed: true, active: 'inactive' }),
      of('ran.service', { existed: true, active: 'active' }),
      of('plain.service', { existed: true }),
    ];
    expect(await undo(host, entries, { stage: 'first', facts: FACTS })).toEqual([]);
    expect(log()).toBe('stop --no-block -- idle.service\n');
  });

  it('does not take a package database that cannot be read for one without our packages', async () => {
    failing('dpkg-query', 'dpkg-query: error: failed to open package info file', 2);
    await expect(undo(host, ours, { stage: 'middle', facts: FACTS })).rejects.toMatchObject({
      evidence: expect.stringContaining('failed to open package info file'),
    });
    failing('rpm', 'error: cannot open Packages database\npackage chrony is not installed', 1);
    await expect(
      undo(host, ours, { stage: 'middle', facts: { ...FACTS, packageManager: 'dnf' } }),
    ).rejects.toMatchObject({ evidence: expect.stringContaining('Packages database') });
    failing('dpkg-query', 'dpkg-query: no packages found matching chrony', 1);
    expect(await undo(host, ours, { stage: 'middle', facts: FACTS })).toEqual([]);
  });
});
