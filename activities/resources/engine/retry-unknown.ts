import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../../../contracts/errors.ts';
import { LIMITS } from '../../../contracts/limits.ts';
import type { RemoteHost } from '../../host/types.ts';
import { type Resource, resourceKey } from '../resource.ts';
import { type Observations, probe } from './probe.ts';

/** How long a resource of which nothing is known is asked for again. */
export interface RetryTimes {
  /** From the moment when its turn has come, ms. */
  readonly totalMs: number;
  readonly pauseMs: number;
}

/** An API server answers some 15 s after a reboot, on a busy machine a minute. */
export const APPLY_RETRIES: RetryTimes = { totalMs: 90_000, pauseMs: 1_000 };
/** A dry run does not wait for the change. */
export const CHECK_RETRIES: RetryTimes = { totalMs: 15_000, pauseMs: 1_000 };

export interface AskAgain {
  remote: RemoteHost;
  resources: readonly Resource[];
  phase: string;
  retries: RetryTimes;
  signal: AbortSignal;
  onStep: (step: string) => void;
}

/** True when the last answer said neither how it is nor that it is not there. */
export const isUnknown = ({ byResource }: Observations, resource: Resource): boolean =>
  byResource.get(resourceKey(resource))?.known !== true;

/**
 * Ask for the first of the resources until it is known, and with it for all others that are not. Those that are known are
 * not asked for again. When the time is up the last answer counts where it says as what; otherwise throws STATE_UNKNOWN
 * with the resource and the last words of what was asked.
 */
export async function askUntilKnown(ask: AskAgain, observations: Observations): Promise<Observations> {
  const { retries, signal } = ask;
  const deadline = performance.now() + retries.totalMs;
  let seen = observations;
  for (;;) {
    seen = await askOnce(ask, seen);
    const [first] = ask.resources;
    if (first === undefined || !isUnknown(seen, first)) return seen;
    if (performance.now() >= deadline) return retryOnce(ask, seen, first);
    await sleep(retries.pauseMs, undefined, { signal });
  }
}

/** The same for all of them, as far as it goes: what stays unknown is left so. */
export async function askWhile(ask: AskAgain, observations: Observations): Promise<Observations> {
  const deadline = performance.now() + ask.retries.totalMs;
  let seen = observations;
  while (ask.resources.some((resource) => isUnknown(seen, resource)) && performance.now() < deadline) {
    await sleep(ask.retries.pauseMs, undefined, { signal: ask.signal });
    seen = await askOnce(ask, seen);
  }
  return seen;
}

async function askOnce({ remote, resources, phase, onStep }: AskAgain, seen: Observations): Promise<Observations> {
  const open = resources.filter((resource) => isUnknown(seen, resource));
  if (open.length === 0) return seen;
  onStep(`ask again: ${resourceKey(open[0]!)}`);
  const { byResource } = await probe(remote, open, { phase, apart: true });
  return { ...seen, byResource: new Map([...seen.byResource, ...byResource]) };
}

function retryOnce({ remote, retries }: AskAgain, seen: Observations, resource: Resource): Observations {
  const key = resourceKey(resource);
  const answer = seen.byResource.get(key);
  if (answer?.known === false && answer.otherwise) {
    const { state } = answer.otherwise;
    return { ...seen, byResource: new Map([...seen.byResource, [key, { known: true, state }]]) };
  }
  const seconds = Math.round(retries.totalMs / 1000);
  throw new KubewrightError(
    'STATE_UNKNOWN',
    `it is not known whether ${key} is as it should be: there was no answer in ${seconds} s`,
    { host: remote.name, evidence: (answer?.known === false ? answer.why : '').slice(-LIMITS.evidenceChars) },
  );
}
