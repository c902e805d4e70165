import { z } from 'zod';
import { ipv4 } from '../../../contracts/primitives.ts';

/** The program that distributes connections. */
export const FLAVOURS = ['haproxy', 'nginx'] as const;
export type FlavourName = (typeof FLAVOURS)[number];

export const options = z.strictObject({
  flavour: z
    .enum(FLAVOURS)
    .default('haproxy')
    .describe('Program that distributes the connections: haproxy, or nginx with its stream module'),
  maxConnections: z
    .int()
    .min(100)
    .max(100_000)
    .default(8000)
    .describe('Connections at the same time on one balancer. A node keeps some 5, kubectl 1 to 3'),
  keepConnectionsSeconds: z
    .int()
    .min(10)
    .max(86_400)
    .default(3600)
    .describe('Time that connections may go on with the old configuration after a reload, seconds'),
  keepalived: z
    .strictObject({
      enabled: z
        .boolean()
        .optional()
        .describe(
          'Hold a virtual address by VRRP. Default: true where `address` or `spec.controlPlane.endpoint.host` is an IPv4 address that no host has',
        ),
      address: ipv4
        .optional()
        .describe('The virtual address; default: spec.controlPlane.endpoint.host, where that is an IPv4 address'),
      interface: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$/, 'must be the name of a network interface')
        .optional()
        .describe('Interface of the virtual address; default: the one with a network that contains it'),
      routerId: z
        .int()
        .min(1)
        .max(255)
        .optional()
        .describe('VRRP router id, unique on the network segment; default: from the names of cluster and address'),
      mode: z
        .enum(['unicast', 'multicast'])
        .default('unicast')
        .describe('How the balancers send advertisements: to each other, or to 224.0.0.18'),
      advertIntervalMs: z
        .int()
        .min(100)
        .max(5000)
        .multipleOf(10)
        .default(500)
        .describe(
          'Time between two advertisements, ms. Another balancer takes over some 3 intervals after the last one',
        ),
      preempt: z
        .boolean()
        .default(false)
        .describe(
          'The first balancer of the spec takes the address back when it returns: one more move of the address',
        ),
    })
    .prefault({}),
});
export type BalancerOptions = z.output<typeof options>;
