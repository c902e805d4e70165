import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { internalAddress } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { absolutePath } from '../../contracts/primitives.ts';
import { readFacts } from '../host/facts.ts';
import { definePhase, type PhaseRun } from './phase.ts';
import { evaluate } from './preflight/evaluate.ts';
import { isMachineId, noteMachine } from './preflight/machines.ts';
import { PROBE_SCRIPT } from './preflight/probe-script.ts';
import { parseReport } from './preflight/report.ts';
import { wantsOf } from './preflight/wants.ts';

const options = z.strictObject({
  allowUnsupportedOs: z.boolean().default(false).describe('Try it on a distribution that nobody tested'),
  minFreeMiB: z
    .record(absolutePath, z.int().min(0).max(10_000_000))
    // Binaries take 700 MiB under /usr/local, images and etcd the rest; a second build finds them in place.
    .default({ '/var/lib': 1024, '/usr/local': 512, '/etc': 8 })
    .describe('Free space wanted per folder'),
  minMemoryMiB: z.int().min(0).max(10_000_000).default(900).describe('Memory wanted on hosts that run pods'),
  maxClockSkewSeconds: z
    .int()
    .min(1)
    .max(86_400)
    // Certificates begin five minutes before they are made.
    .default(300)
    .describe('How far the clock may be from the worker'),
});

/** Can this host become what the plan wants? Looks only, in one round trip, on every build. */
export default definePhase({
  name: 'preflight',
  title: 'Preflight checks',
  hosts: 'all',
  needs: [],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 500,
  options,
  hooks: { before: check },
});

/** How long an earlier finding may take to be put right by the other host's own preflight, ms. */
const STALE_MS = 10_000;

async function twinOf(run: PhaseRun<unknown>, machineId: string): Promise<Host | null> {
  // A machine without an id of its own is told so anyway.
  if (!isMachineId(machineId)) return null;
  const since = Date.now();
  for (;;) {
    const twin = await noteMachine(run.notes, run, machineId);
    if (twin === null || twin.fresh || Date.now() - since > STALE_MS || run.mode === 'check') return twin?.host ?? null;
    await sleep(500, undefined, { signal: run.signal });
  }
}

async function check(run: PhaseRun<z.output<typeof options>>): Promise<void> {
  const { cluster, host, remote, options, fail } = run;
  const wants = wantsOf(cluster, host);
  const words = (list: Iterable<string | number>) => [...new Set(list)].join(' ');
  const { mirror } = cluster.spec.artifacts;
  const askedAtMs = Date.now();
  // Facts anew: those of the session are as old as its connection, and a retry is there to see what was put right.
  const reading = readFacts(remote);
  const probing = remote.script(
    PROBE_SCRIPT,
    [
      words(wants.ports.keys()),
      words(Object.keys(options.minFreeMiB)),
      words(wants.peers.flatMap(({ peers }) => peers)),
      words(
        wants.features.map(({ name, symbol, sign, linkType }) =>
          [name, symbol, sign ?? '-', linkType?.replaceAll(' ', '+') ?? '-'].join(','),
        ),
      ),
      internalAddress(host),
      mirror === undefined ? '' : `${mirror.replace(/\/$/, '')}/manifest.json`,
    ],
    { timeoutMs: 30_000 },
  );
  const [facts, { stdout }] = await Promise.all([reading, probing]);
  const answeredAtMs = Date.now();
  const report = parseReport(stdout);
  if (!report.complete) fail('COMMAND_FAILED', 'the preflight script ended early', stdout);
  const twin = await twinOf(run, facts.machineId);
  const problems = evaluate({ cluster, host, facts, report, wants, twin, options, askedAtMs, answeredAtMs });
  const [first] = problems;
  if (!first) return;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more, see the evidence)` : '';
  const evidence =
    problems.length > 1
      ? problems.map(({ code, message, evidence }) => `${code}: ${message}\n  ${evidence}`).join('\n')
      : first.evidence;
  fail(first.code, `${first.message}${more}`, evidence);
}
