import { z } from 'zod';
import { cidr, dnsLabel, ipv4 } from './primitives.ts';

/** The address of a forward proxy. Its login is a stored credential: a spec is shown to every reader. */
const proxyUrl = z
  .string()
  .max(300)
  .refine((text) => !text.includes('@'), {
    error:
      'must hold no user and password: store them with PUT /credentials/{name} as kind proxy, and name that in spec.proxy.credential',
    abort: true,
  })
  .regex(
    /^https?:\/\/[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?:\d{1,5}\/?$/,
    'must be such as http://proxy.example.com:3128',
  )
  .refine((text) => {
    const port = Number(/:(\d+)\/?$/.exec(text)?.[1] ?? 1);
    return port >= 1 && port <= 65535;
  }, 'must have a port of 1 to 65535');

/** A name or a domain (`.example.com`, `*.example.com`) that is reached directly. */
const directName = z
  .string()
  .max(253)
  .regex(
    /^(\*?\.)?[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$/,
    'must be a name, a domain such as .example.com, an IPv4 address or a network',
  );

/** spec.proxy: how hosts reach what is neither the cluster's nor its mirror's. */
export const proxySettings = z
  .strictObject({
    http: proxyUrl.optional().describe('Proxy for http:// addresses (mostly packages)'),
    https: proxyUrl
      .optional()
      .describe(
        'Proxy for https:// addresses (images of upstream registries, release files). The address of the proxy itself mostly begins with http://',
      ),
    noProxy: z
      .array(z.union([ipv4, cidr, directName]))
      .max(100)
      .optional()
      .describe('More addresses that bypass the proxy. The cluster, its mirror and its registry always bypass it'),
    credential: z
      .strictObject({
        name: dnsLabel.describe('Name of a credential of kind `proxy` that was stored with PUT /credentials/{name}'),
      })
      .optional(),
  })
  .refine(({ http, https }) => http !== undefined || https !== undefined, 'must name http, https or both');

/** Host and port of a proxy's address. */
export function proxyPlace(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
}
