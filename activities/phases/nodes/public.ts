/** What the other engine has in common with the phase nodes. */
export { nodeIssues } from './issues.ts';
export { proxyMode } from './kube-proxy.ts';
export { FILLED, kubeletFolders, renderKubelet } from './kubelet-settings.ts';
export { type NodeOptions, nodeOptions, runsProxy } from './options.ts';
export { otherModesRules } from './other-modes.ts';
export { proxyParts } from './proxy-parts.ts';
export { NODE_PACKAGES, nodeRequirements } from './requirements.ts';
export { NODE_TEARDOWN } from './teardown-script.ts';
