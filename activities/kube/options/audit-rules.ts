import { z } from 'zod';

const LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;

const MOST = 64;
const list = (what: z.ZodType<string>) => z.array(what).min(1).max(MOST).optional();
/** Names of users and groups: `system:serviceaccount:kube-system:x`, `ann@example.com`. */
const person = z.string().min(1).max(256);
const namespace = z.string().regex(/^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$/, 'must be the name of a namespace');

const resources = z.strictObject({
  group: z
    .string()
    .max(253)
    .regex(/^[a-z0-9.-]*$/, 'must be an API group such as apps; empty for the core group')
    .default(''),
  resources: list(
    z.string().regex(/^([a-z]+|\*)(\/([a-z]+|\*))?$/, 'must be a resource such as pods or pods/log'),
  ).describe('Absent: all of the group'),
  resourceNames: list(z.string().min(1).max(253)),
});

/** One rule of audit.k8s.io/v1, all keys of it bounded. The API server refuses a policy that breaks the rules of `superRefine`. */
const auditRule = z
  .strictObject({
    level: z.enum(LEVELS).describe('None: no record; RequestResponse: with both bodies, which may hold secrets'),
    users: list(person),
    userGroups: list(person),
    verbs: list(z.string().regex(/^([a-z]+|\*)$/, 'must be a verb such as get')),
    namespaces: list(namespace).describe('An empty name: resources without a namespace'),
    resources: z.array(resources).min(1).max(MOST).optional(),
    nonResourceURLs: list(
      z
        .string()
        .max(256)
        .regex(/^(\/[^*\s]*\*?|\*)$/, 'must be a path such as /metrics, with * only at its end'),
    ),
    omitStages: z.array(z.enum(STAGES)).max(STAGES.length).optional(),
    omitManagedFields: z.boolean().optional(),
  })
  .superRefine((rule, context) => {
    const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (rule.nonResourceURLs && (rule.resources || rule.namespaces)) {
      issue(['nonResourceURLs'], 'a rule is for resources and namespaces, or for other URLs: make two rules');
    }
    rule.resources?.forEach((each, index) => {
      if (each.resourceNames && !each.resources)
        issue(['resources', index, 'resourceNames'], 'names need `resources` beside them');
    });
  });

/** Rules of the user for the audit log. */
export const auditPolicyOptions = z
  .strictObject({
    rules: z.array(auditRule).min(1).max(100),
    keepDefault: z
      .boolean()
      .default(true)
      .describe('true: the rules of Kubewright follow; false: requests that no rule fits have no record'),
  })
  .optional()
  .describe('Own rules, before those of Kubewright: the first rule that fits a request decides');
export type AuditPolicyOptions = z.output<typeof auditPolicyOptions>;
