import { defineMatrixCase } from '../kit/case.ts';
import {
  emptyPrivateRegistry,
  PRIVATE_CREDENTIAL,
  PRIVATE_ENTRY,
  PRIVATE_REGISTRY,
  privateRegistryChecks,
  startPrivateRegistry,
} from '../kit/private-registry.ts';

export default defineMatrixCase({
  title: 'containerd pulls from a private registry with a login, directly and as a mirror',
  hosts: { 'control-plane': 1, worker: 1 },
  credentials: PRIVATE_CREDENTIAL,
  cleanUp: emptyPrivateRegistry,
  prepareHosts: startPrivateRegistry,
  spec: (draft) => {
    draft['registries'] = [PRIVATE_ENTRY];
  },
  change: (draft) => {
    draft['registries'] = [{ host: 'registry.example.com', mirrors: [`https://${PRIVATE_REGISTRY}`] }, PRIVATE_ENTRY];
  },
  checks: privateRegistryChecks,
});
