import { z } from 'zod';
import { install } from '../kube/install.ts';
import { KUBEWRIGHT_DIR } from '../kube/paths.ts';
import { waitForDeployments } from '../kube/rollout.ts';
import { manifests } from '../resources/manifests.ts';
import {
  CALICO,
  CALICO_CRDS,
  calicoCrds,
  calicoDeploymentsOf,
  calicoObjects,
  isCalicoOn,
  waitUntilRolled,
} from './calico/public.ts';
import { definePhase } from './phase.ts';

const CRDS = { artifact: CALICO_CRDS, version: CALICO_CRDS.version, into: KUBEWRIGHT_DIR };
const CRDS_FILE = `${KUBEWRIGHT_DIR}/calico-crds.yaml`;

/** Calico in the cluster: the definitions of its resources, then its objects, by the options of phase calico. */
export default definePhase({
  name: 'calico-objects',
  title: 'Calico in the cluster',
  hosts: 'one-control-plane',
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'control-plane', on: 'same-host' },
    { phase: 'registry', on: 'every-host' },
  ],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 20 * 60_000 },
  expectedMs: 30_000,
  options: z.strictObject({}),
  enabled: isCalicoOn,
  requires: () => ({ artifacts: [CRDS] }),
  resources: async (context) => {
    const { sha256 } = await context.artifacts.file(CRDS.artifact, CRDS.version, context.facts.arch);
    return [
      await install(context, CRDS),
      calicoCrds(CRDS_FILE, sha256),
      manifests(CALICO, await calicoObjects(context)),
    ];
  },
  async verify(run) {
    await waitForDeployments(run, calicoDeploymentsOf(run), 4 * 60_000);
    await waitUntilRolled(run);
  },
});
