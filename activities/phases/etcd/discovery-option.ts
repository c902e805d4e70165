import { z } from 'zod';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { dnsLabel } from '../../../contracts/primitives.ts';

/** An address of an etcd: scheme, name or IPv4 address, port. */
const endpoint = z
  .string()
  .max(300)
  .regex(
    /^https?:\/\/[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/,
    'must be such as https://10.0.0.5:2379, without user, password and path',
  );

/** The first members find each other in an etcd that is there already. */
export const discoveryOption = z.strictObject({
  mode: z
    .literal('discovery')
    .describe('The members register in an etcd that is there already, and wait for each other'),
  endpoints: z
    .array(endpoint)
    .min(1)
    .max(15)
    .optional()
    .describe('Addresses of that etcd (3.x), all https or all http; asked by etcd 3.6 and later'),
  token: z
    .string()
    .regex(/^[A-Za-z0-9]([A-Za-z0-9_-]{6,62}[A-Za-z0-9])$/, 'must be 8 to 64 letters, digits, - and _')
    .optional()
    .describe('Names this founding there: each founding needs a new one, such as `openssl rand -hex 16`'),
  credential: z
    .strictObject({
      name: dnsLabel.describe(
        'Name of a credential of kind `client-certificate` that was stored with PUT /credentials/{name}',
      ),
    })
    .optional()
    .describe('Client certificate and CA for https. Without: no client certificate, and the CAs of the host'),
  url: z
    .string()
    .max(300)
    .regex(
      /^https?:\/\/[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:\d{1,5})?(\/[A-Za-z0-9_.-]+)+$/,
      'must be such as https://discovery.example.com/TOKEN, without user and password',
    )
    .optional()
    .describe(
      'In place of endpoints and token: the URL, with its token, of a service with the API of etcd 2; asked by etcd before 3.7',
    ),
});
export type Discovery = z.output<typeof discoveryOption>;

/** The discovery of etcd 3, its two parts together. */
export type DiscoveryByEndpoints = Omit<Discovery, 'endpoints' | 'token'> & { endpoints: string[]; token: string };
export const byEndpoints = (discovery: Discovery): discovery is DiscoveryByEndpoints =>
  discovery.endpoints !== undefined && discovery.token !== undefined;

const PATH = 'spec.phases.etcd.bootstrap';

/** Major and minor number of a version as one number that compares: 3.6.14 is 3006. */
const series = (version: string): number => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
};

/** What of a discovery does not go together, with etcd's version too. Pure. */
export function discoveryIssues(discovery: Discovery, version: string): FieldIssue[] {
  const { endpoints = [], token, url, credential } = discovery;
  const issue = (field: string, message: string): FieldIssue => ({ path: `${PATH}.${field}`, message });
  if (url !== undefined) {
    const beside =
      endpoints.length > 0 ? 'endpoints' : token !== undefined ? 'token' : credential ? 'credential' : null;
    if (beside)
      return [
        issue('url', `cannot be given beside ${beside}: the URL holds the token, and takes no client certificate`),
      ];
    return series(version) >= 3007
      ? [
          issue(
            'url',
            `etcd ${version} cannot ask the API of etcd 2, which ended with 3.6: give endpoints and token of an etcd 3`,
          ),
        ]
      : [];
  }
  if (endpoints.length === 0) return [issue('endpoints', 'must name the etcd for discovery (or give a url)')];
  if (token === undefined) return [issue('token', 'is missing')];
  if (series(version) < 3006)
    return [
      issue(
        'endpoints',
        `etcd ${version} cannot use an etcd 3 for discovery, which began with 3.6: give the url of a service with the API of etcd 2`,
      ),
    ];
  const plain = endpoints.filter((each) => each.startsWith('http:'));
  if (plain.length > 0 && plain.length < endpoints.length) return [issue('endpoints', 'must be all https or all http')];
  if (plain.length > 0 && credential)
    return [issue('credential', 'cannot be used with http: there it proves nothing and protects nothing')];
  return [];
}
