import { z } from 'zod';
import { dnsLabel } from './primitives.ts';

/** A spec has at most this many registries, and each at most this many mirrors: nodes ask them one after the other. */
const MOST_REGISTRIES = 50;
const MOST_MIRRORS = 10;
/** A bundle of private authorities; one certificate has about 2 KiB. */
const CA_CHARS = 48 * 1024;

/** How image references name Docker Hub, and the server that has its images. */
export const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_SERVER = 'registry-1.docker.io';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const HOST = new RegExp(`^${LABEL}(\\.${LABEL})*(:\\d{1,5})?$`);
const MIRROR = new RegExp(`^https?://${LABEL}(\\.${LABEL})*(:\\d{1,5})?(/[a-z0-9][a-z0-9._-]*)*$`);

const portFits = (text: string): boolean => {
  const [, digits] = /:(\d+)(?:\/.*)?$/.exec(text.replace(/^https?:\/\//, '')) ?? [];
  return digits === undefined || (Number(digits) >= 1 && Number(digits) <= 65535);
};

/** `HOST[:PORT]` as image references begin with it. */
const registryHost = z
  .string()
  .max(260)
  .regex(HOST, 'must be the name with which image references begin, such as docker.io or registry.example.com:5000')
  .refine(portFits, 'must have a port of 1 to 65535')
  // The grammar of references: another first part is a folder of Docker Hub.
  .refine((text) => /[.:]/.test(text) || text === 'localhost', {
    error: 'must have a dot or a port: references read another first part as a folder of docker.io',
  })
  .refine((text) => !['index.docker.io', DOCKER_HUB_SERVER].includes(text), {
    error: `must be ${DOCKER_HUB}, as image references name it`,
  });

const mirrorUrl = z
  .string()
  .max(300)
  .refine((text) => !text.includes('@'), {
    error:
      'must hold no user and password: store them with PUT /credentials/{name} as kind registry-login, and name that in the entry of spec.registries for the mirror',
    abort: true,
  })
  .regex(
    MIRROR,
    'must be such as https://mirror.example.com:5000, or with a project behind it: https://mirror.example.com/hub',
  )
  .refine(portFits, 'must have a port of 1 to 65535');

const credential = (kind: string) =>
  z.strictObject({
    name: dnsLabel.describe(`Name of a credential of kind \`${kind}\` that was stored with PUT /credentials/{name}`),
  });

const registry = z.strictObject({
  host: registryHost.describe('Registry as image references name it: docker.io, registry.example.com:5000'),
  mirrors: z
    .array(mirrorUrl)
    .min(1)
    .max(MOST_MIRRORS)
    .optional()
    .describe(
      'Servers that nodes ask for its images first, in this order; then the registry itself. How to reach a mirror (login, CA) is said in its own entry',
    ),
  credential: credential('registry-login')
    .optional()
    .describe('Login to this server; it is sent to no other one, mirrors included'),
  clientCertificate: credential('client-certificate')
    .optional()
    .describe('Client certificate for TLS with this server, and the authorities that its certificate is checked with'),
  ca: z
    .string()
    .max(CA_CHARS)
    .regex(/-----BEGIN CERTIFICATE-----/, 'must have certificates in PEM form')
    .optional()
    .describe('Certificates in PEM of the authorities of this server; default: those that the host trusts'),
  plainHttp: z
    .literal(true)
    .optional()
    .describe(
      'The server takes HTTP without TLS, so its identity is not checked: only for networks that are trusted as a whole',
    ),
});

/** spec.registries: how the container runtime of every node reaches registries of others, whichever runtime it is. */
export const registrySettings = z
  .array(registry)
  .min(1)
  .max(MOST_REGISTRIES)
  .superRefine((registries, context) => {
    const issue = (index: number, field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [index, field], message });
    registries.forEach((each, index) => {
      const { host, mirrors = [], plainHttp } = each;
      const first = registries.findIndex((other) => other.host === host);
      if (first < index) issue(index, 'host', `duplicates ${host} of spec.registries[${first}]`);
      if (host === DOCKER_HUB && plainHttp) issue(index, 'plainHttp', `${DOCKER_HUB} takes TLS only`);
      for (const field of ['credential', 'clientCertificate', 'ca'] as const) {
        if (plainHttp && each[field] !== undefined)
          issue(index, field, `needs TLS, and plainHttp switches it off for ${host}`);
      }
      if (each.ca !== undefined && each.clientCertificate !== undefined)
        issue(index, 'ca', 'the credential of clientCertificate has the authorities already: remove one of the two');
      if (new Set(mirrors).size !== mirrors.length) issue(index, 'mirrors', 'names a mirror twice');
      mirrors.forEach((url, at) => {
        const own = registries.find((other) => other.host === placeOf(url));
        if (placeOf(url) === host) issue(index, 'mirrors', `mirrors[${at}] is ${host} itself`);
        else if (own?.credential && url.startsWith('http:'))
          issue(index, 'mirrors', `mirrors[${at}] is without TLS, and ${own.host} has a login: give an https address`);
      });
    });
  });

export type Registry = z.infer<typeof registry>;

/** `HOST[:PORT]` of a mirror, by which an entry of its own is found. */
export const placeOf = (url: string): string => /^https?:\/\/([^/]+)/.exec(url)?.[1] ?? '';

/** Where the images of a registry are: host and port of its server. */
export function serverOf({ host, plainHttp }: Pick<Registry, 'host' | 'plainHttp'>): { host: string; port: number } {
  const [name = '', digits] = (host === DOCKER_HUB ? DOCKER_HUB_SERVER : host).split(':');
  return { host: name, port: Number(digits ?? (plainHttp ? 80 : 443)) };
}

/** The address of its server, such as https://registry-1.docker.io. */
export function serverUrl(registry: Pick<Registry, 'host' | 'plainHttp'>): string {
  const { host, port } = serverOf(registry);
  const [scheme, usual] = registry.plainHttp ? ['http', 80] : ['https', 443];
  return `${scheme}://${port === usual ? host : `${host}:${port}`}`;
}
