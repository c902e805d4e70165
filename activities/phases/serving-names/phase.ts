import { z } from 'zod';
import type { Change } from '../../../contracts/operation.ts';
import type { RemoteHost } from '../../host/types.ts';
import { converge, markVerified } from '../../resources/engine/engine.ts';
import { controlPlane } from '../capabilities/control-plane.ts';
import { enabledProvidersOf } from '../capabilities.ts';
import { contextOf, ownedBy } from '../desired.ts';
import { definePhase, type PhaseRun } from '../phase.ts';
import { verifiedIdentity } from '../verified-identity.ts';

/**
 * The last step of a move to another endpoint: when no node uses the old one any more, its name leaves the certificates of the API
 * servers, in the same build. An API server reads its certificate anew; it is not restarted.
 */
export default definePhase({
  name: 'serving-names',
  title: 'Names in API server certificates',
  hosts: 'control-plane',
  closing: true,
  rollout: 'one-by-one',
  needs: [
    { phase: 'node-ready', on: 'every-host' },
    { phase: 'cleanup', on: 'every-host' },
  ],
  timeouts: { applyMs: 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 300,
  options: z.strictObject({}),
  run: shrinkNames,
});

async function shrinkNames(run: PhaseRun<unknown>): Promise<Change[]> {
  const { cluster, facts, phases, mode, signal } = run;
  const [server] = enabledProvidersOf(cluster, controlPlane.name, [...phases.values()]);
  if (!server?.resources || mode === 'check') return [];
  const own: PhaseRun<unknown> = { ...run, ...contextOf(run, server), mode };
  const resources = ownedBy(cluster, server.name, await server.resources(own));
  const remote = withoutChanges(run.remote);
  const of = { remote, resources, facts, phase: server.name, identity: verifiedIdentity(own), signal };
  const { changes } = await converge({ ...of, mode: 'check' });
  // Whatever else differs waits for its turn in the window of control planes.
  const certificate = new Set(run.offer(controlPlane).certificateFiles.map((path) => `file:${path}`));
  if (changes.length === 0 || !changes.every(({ resource }) => certificate.has(resource))) return [];
  const done = await converge({ ...of, mode: 'apply' });
  await server.verify?.({ ...own, changes: done.changes });
  await markVerified(remote, server.name, done.desiredDigest);
  return done.changes;
}

/** What it changes is recorded once, by the task. */
const withoutChanges = (remote: RemoteHost): RemoteHost => ({
  name: remote.name,
  exec: (argv, options) => remote.exec(argv, { ...options, changes: undefined }),
  script: (text, args, options) => remote.script(text, args, { ...options, changes: undefined }),
  upload: (path, content, options) => remote.upload(path, content, { ...options, changes: undefined }),
});
