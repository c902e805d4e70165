import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { type ClusterSpec, internalAddress } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { Host } from '../contracts/host.ts';
import { type HostAddress, hostAddresses } from '../contracts/host-addresses.ts';
import { ipv4 } from '../contracts/primitives.ts';
import type { ApiDeps } from './deps.ts';

/** Names that are asked for at once: each takes a thread of the pool that files and cryptography share. */
const LOOKUPS = 2;
/** How long all names of one request may take together, ms; those that are not known by then are compared as they are. */
const LOOKUP_MS = 1_500;
/** Lifetime of an answer, ms. */
const REMEMBERED_MS = 60_000;
/** Answers kept. */
const MOST_NAMES = 10_000;

const lookups = pLimit(LOOKUPS);
const answers = new Map<string, { addresses: Promise<string[]>; at: number }>();

/** Throws ADDRESS_IN_USE when another host of the same cluster has one of the host's addresses. Pure. */
export function requireOwnAddress(cluster: ClusterSpec, host: Host): void {
  const own = new Set([host.address, internalAddress(host)]);
  const otherHost = cluster.spec.hosts.find(
    (each) => each.name !== host.name && (own.has(each.address) || own.has(internalAddress(each))),
  );
  if (!otherHost) return;
  const message = `${host.address} for host ${host.name} is the address of host ${otherHost.name} of this cluster`;
  throw new KubewrightError('ADDRESS_IN_USE', message, { host: host.name });
}

/** Throws ADDRESS_IN_USE when a host of the spec is a machine that another cluster has; changes nothing. */
export async function requireFreeAddresses(deps: ApiDeps, specRef: string): Promise<void> {
  const { cluster, wanted } = await wantedBy(deps, specRef);
  refuse(cluster, await deps.store.addresses.taken(cluster.metadata.name, wanted));
}

/**
 * Do something that makes a spec the cluster's, with its machines reserved meanwhile: of two clusters that ask for one
 * machine at the same time, only one comes through. `work` returns when an operation has the spec. Throws ADDRESS_IN_USE.
 */
export async function withAddresses<T>(
  deps: ApiDeps,
  specRef: string,
  work: () => Promise<T>,
  { keep = false }: { keep?: boolean } = {},
): Promise<T> {
  const { cluster, wanted } = await wantedBy(deps, specRef);
  const { name } = cluster.metadata;
  refuse(cluster, await deps.store.addresses.reserve(name, specRef, wanted));
  let release = !keep;
  try {
    return await work();
  } catch (error) {
    // Without an answer of Temporal the spec may be in use after all: the reservation ends by itself.
    release = KubewrightError.is(error) && error.code !== 'TEMPORAL_UNAVAILABLE' && error.code !== 'INTERNAL';
    throw error;
  } finally {
    if (release) await deps.store.addresses.release(name, specRef);
  }
}

/** Not by name: the caller may not be allowed to see the other cluster. */
function refuse(cluster: ClusterSpec, taken: readonly HostAddress[]): void {
  const [first] = taken;
  if (!first) return;
  const sentence = ({ host, address }: HostAddress) =>
    `${address} for host ${host} is the address of a host of another cluster`;
  const errors = taken.slice(0, 100).map((each) => {
    const index = cluster.spec.hosts.findIndex(({ name }) => name === each.host);
    const field = each.port === 0 ? 'internalAddress' : 'address';
    return { path: `spec.hosts[${index}].${field}`, message: sentence(each) };
  });
  throw new KubewrightError('ADDRESS_IN_USE', sentence(first), { host: first.host, errors });
}

/** Every address of the spec's hosts, under all texts that are known to mean the same machine. */
async function wantedBy(deps: ApiDeps, specRef: string): Promise<{ cluster: ClusterSpec; wanted: HostAddress[] }> {
  const cluster = await deps.store.specs.get(specRef);
  const wanted = cluster.spec.hosts.flatMap((host) => hostAddresses(cluster, host));
  const others = await deps.store.addresses.names(cluster.metadata.name);
  const known = await resolved([...new Set([...wanted.map(({ address }) => address), ...others])]);
  const namesOf = new Map<string, string[]>();
  for (const name of others) {
    for (const address of known.get(name) ?? []) namesOf.set(address, [...(namesOf.get(address) ?? []), name]);
  }
  const synonyms = (address: string): string[] => {
    const numbers = [address, ...(known.get(address) ?? [])];
    return [...new Set([...numbers, ...numbers.flatMap((each) => namesOf.get(each) ?? [])])];
  };
  return {
    cluster,
    wanted: wanted.flatMap((each) => synonyms(each.address).map((address) => ({ ...each, address }))),
  };
}

/** IPv4 addresses of the names among these texts, as this machine resolves them now. Never rejects, and takes its time only. */
async function resolved(texts: readonly string[]): Promise<Map<string, string[]>> {
  const known = new Map<string, string[]>();
  const pendingLookups = texts
    .filter((text) => !ipv4.safeParse(text).success)
    .map(async (name) => void known.set(name, await addressesOf(name)));
  if (pendingLookups.length === 0) return known;
  const late = new AbortController();
  await Promise.race([
    Promise.all(pendingLookups),
    sleep(LOOKUP_MS, undefined, { signal: late.signal, ref: false }).catch(() => undefined),
  ]);
  late.abort();
  return new Map(known);
}

function addressesOf(name: string): Promise<string[]> {
  const found = answers.get(name);
  if (found && Date.now() - found.at < REMEMBERED_MS) return found.addresses;
  if (answers.size >= MOST_NAMES) answers.clear();
  const addresses = lookups(() => lookup(name, { family: 4, all: true })).then(
    (all) => all.map(({ address }) => address),
    // A name that does not resolve is no machine yet.
    () => [],
  );
  answers.set(name, { addresses, at: Date.now() });
  return addresses;
}
