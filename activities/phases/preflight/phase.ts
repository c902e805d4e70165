import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Host } from '../../../contracts/host.ts';
import { readFacts } from '../../host/facts.ts';
import { registriesOf } from '../../kube/registries.ts';
import { definePhase, type OpenedCertificate, type PhaseRun } from '../phase.ts';
import { runsPods } from '../placement.ts';
import { type PhaseRequirements, requirementsOn } from '../requires.ts';
import { optionShapes, scanChecks } from './checks.ts';
import { isMachineId, recordMachine } from './machines.ts';
import { evaluate, evidenceOf, loadChecks, probeScript, readAnswers, unanswered } from './probe.ts';

const checks = await scanChecks();

/** The options of the checks. */
const options = z.strictObject(optionShapes(checks));

/** Checks whether a host can run its part of the plan: read-only, in one round trip, on every build. */
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

async function duplicateOf(run: PhaseRun<unknown>, machineId: string): Promise<Host | null> {
  // The check `identity` names a machine without an id of its own.
  if (!isMachineId(machineId)) return null;
  const since = Date.now();
  for (;;) {
    const duplicateHost = await recordMachine(run.clusterState, run, machineId);
    if (duplicateHost === null || duplicateHost.fresh || Date.now() - since > STALE_MS || run.mode === 'check')
      return duplicateHost?.host ?? null;
    await sleep(500, undefined, { signal: run.signal });
  }
}

/**
 * What the phases require of the host, without what is needed only until something is in the cluster's state; and the client
 * certificates that the checks need for the rest, by the names of their credentials.
 */
async function stillNeeded(run: PhaseRun<unknown>): Promise<{
  requirements: PhaseRequirements[];
  certificates: Map<string, OpenedCertificate>;
}> {
  const past = async (until: string | undefined) => until !== undefined && (await run.clusterState.get(until)) !== null;
  const requirements: PhaseRequirements[] = [];
  const certificates = new Map<string, OpenedCertificate>();
  for (const { discovery, certificates: named = [], ...rest } of requirementsOn(
    run.cluster,
    run.host,
    run.phases.values(),
  )) {
    const asked = discovery && !(await past(discovery.until)) ? { discovery } : {};
    requirements.push({ ...rest, ...asked });
    for (const use of named) {
      if (!(await past(use.until))) certificates.set(use.credential.name, await run.clientCertificate(use));
    }
  }
  return { requirements, certificates };
}

async function check(run: PhaseRun<z.output<typeof options>>): Promise<void> {
  const { cluster, host, remote, options, fail } = run;
  const { requirements, certificates } = await stillNeeded(run);
  const of = { cluster, host, options, requirements, loaded: await loadChecks(checks, run) };
  const registries = cluster.spec.proxy === undefined && runsPods(host) ? await registriesOf(run) : [];
  const { text, args } = probeScript(checks, of, certificates, registries);
  const askedAtMs = Date.now();
  // Facts anew: those of the session are as old as its connection, and a retry is there to see what was put right.
  const [facts, { stdout }] = await Promise.all([readFacts(remote), remote.script(text, args, { timeoutMs: 30_000 })]);
  const answeredAtMs = Date.now();
  const answers = readAnswers(stdout);
  const missing = unanswered(checks, of, answers);
  if (missing.length > 0) fail('COMMAND_FAILED', `these checks ended early: ${missing.join(', ')}`, stdout);
  const duplicateHost = await duplicateOf(run, facts.machineId);
  const asksForCa = requirements.some(({ endpoint }) => endpoint !== undefined);
  const storedCa = asksForCa ? await run.pki.storedCa('kubernetes') : null;
  const etcdAuthority = requirements.some(({ discovery }) => discovery) ? await run.pki.storedCa('etcd') : null;
  const input = { ...of, facts, duplicateHost, storedCa, etcdAuthority, askedAtMs, answeredAtMs };
  const problems = evaluate(checks, input, answers);
  const [first] = problems;
  if (!first) return;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more, see the evidence)` : '';
  fail(first.code, `${first.message}${more}`, evidenceOf(problems));
}
