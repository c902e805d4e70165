import { z } from 'zod';
import { address } from '../../../contracts/primitives.ts';
import { auditPolicyOptions } from '../../kube/options/audit-rules.ts';
import { apiServerOptions, controllerOptions } from '../../kube/options/control-plane.ts';
import { extraArgs } from '../option-types.ts';
import { POD_SECURITY_LEVELS } from './admission-config.ts';
import { ENCRYPTION_PROVIDERS } from './encryption-config.ts';

/** Options of control planes, whichever engine starts them. */
export const masterOptions = z.strictObject({
  endpoint: address.optional().describe('Earlier form of spec.controlPlane.endpoint.host with provider external'),
  certificateNames: z.array(address).max(32).default([]).describe('More names in the certificate of the API server'),
  encryption: z.enum(ENCRYPTION_PROVIDERS).default('secretbox').describe('How Secrets are encrypted at rest in etcd'),
  audit: z
    .strictObject({
      enabled: z.boolean().default(true),
      maxAgeDays: z.int().min(1).max(3650).default(30),
      maxBackups: z.int().min(1).max(1000).default(10),
      maxSizeMiB: z.int().min(1).max(10_000).default(100),
      policy: auditPolicyOptions,
    })
    .prefault({}),
  podSecurity: z
    .enum(POD_SECURITY_LEVELS)
    .default('baseline')
    .describe('Pod Security level of namespaces without a label of their own; kube-system is exempt'),
  apiServer: z.strictObject({ extraArgs, ...apiServerOptions }).prefault({}),
  controllerManager: z.strictObject({ extraArgs, ...controllerOptions }).prefault({}),
  scheduler: z.strictObject({ extraArgs, ...controllerOptions }).prefault({}),
});
export type MasterOptions = z.output<typeof masterOptions>;
