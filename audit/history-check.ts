import { z } from 'zod';
import { WORKFLOWS } from '../contracts/messages.ts';
import { withoutStamp } from '../contracts/provenance.ts';
import { canonicalJson } from '../store/canonical.ts';
import type { ChainCheck } from './chain-check.ts';
import type { Say } from './problem.ts';

const text = z.string();
const payloads = z.object({ payloads: z.array(z.object({ data: text.optional() })).optional() });

/** The part of an event in proto-JSON that anchors the journal. */
const event = z.object({
  eventId: text,
  workflowExecutionStartedEventAttributes: z
    .object({
      workflowId: text.optional(),
      workflowType: z.object({ name: text.optional() }).optional(),
      input: payloads.optional(),
    })
    .optional(),
  activityTaskScheduledEventAttributes: z
    .object({ activityId: text, activityType: z.object({ name: text }) })
    .optional(),
  activityTaskStartedEventAttributes: z.object({ scheduledEventId: text, attempt: z.int().optional() }).optional(),
  activityTaskCompletedEventAttributes: z
    .object({ scheduledEventId: text, startedEventId: text, result: payloads.optional() })
    .optional(),
});
const history = z.object({ events: z.array(event) });

/** Of the input of the workflow `operation`: who asked for what. */
const requested = z.object({
  kind: text,
  mode: text,
  specRef: text,
  requestId: text,
  actor: z.object({ name: text, id: text.optional() }),
});

const taskResult = z.object({ chainHead: text.optional(), commands: z.int().optional() });

/** Who asked for an operation, and for what. */
export interface Requested {
  kind: string;
  mode: string;
  spec: string;
  requestId: string;
  actor: string;
  /** Id of the actor's token; empty where no token acts. */
  actorId: string;
}

/** Compares what Temporal remembers with the chain: either one shows a change in the other. */
export class HistoryCheck {
  /** Anchors that were found and held. */
  anchors = 0;
  /** Heads of links that retention removed since. */
  pruned = 0;
  /** The last link known to be as Temporal remembers it. */
  #linkCounts = 0;
  /** The plan as the workflow got it, as canonical JSON. */
  plan: string | undefined;
  /** What the workflow of the operation was started with. */
  requested: Requested | undefined;
  readonly #chain: ChainCheck;
  readonly #scheduled = new Set<string>();
  #histories = 0;

  constructor(chain: ChainCheck) {
    this.#chain = chain;
  }

  /** One history, as JSON. The chain must have been walked. */
  add(where: string, json: string, say: Say): void {
    let events: z.infer<typeof event>[];
    try {
      ({ events } = history.parse(JSON.parse(json)));
    } catch {
      return say({ where, what: 'it is no history of a workflow in proto-JSON' });
    }
    this.#histories += 1;
    const started = events[0]?.workflowExecutionStartedEventAttributes;
    const workflowId = started?.workflowId ?? '';
    if (started?.workflowType?.name === WORKFLOWS.operation) {
      this.requested ??= requestedOf(decoded(started.input?.payloads?.[0]?.data));
    }
    const byId = new Map(events.map((each) => [each.eventId, each]));
    for (const each of events) {
      const scheduled = each.activityTaskScheduledEventAttributes;
      if (scheduled) this.#scheduled.add(`${workflowId}\0${scheduled.activityId}`);
      const completed = each.activityTaskCompletedEventAttributes;
      if (!completed) continue;
      const activity = byId.get(completed.scheduledEventId)?.activityTaskScheduledEventAttributes;
      const attempt = byId.get(completed.startedEventId)?.activityTaskStartedEventAttributes?.attempt ?? 1;
      const result = decoded(completed.result?.payloads?.[0]?.data);
      if (activity?.activityType.name === 'makePlan') this.plan = canonicalOf(result);
      const parsed = taskResult.safeParse(result);
      if (!parsed.success || !activity) continue;
      const bad = (what: string): void =>
        say({ where, record: `event ${each.eventId} (${activity.activityId})`, what });
      this.#anchor(parsed.data, `${workflowId}\0${activity.activityId}\0${attempt}`, bad);
    }
  }

  #anchor({ chainHead, commands }: z.infer<typeof taskResult>, attempt: string, bad: (what: string) => void): void {
    if (chainHead === undefined) return;
    const [, link = '', hash = ''] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(chainHead) ?? [];
    const n = link === '' ? 0 : Number(link);
    if (n > 0 && n <= this.#chain.hashes.base) {
      // Pruned: the signed mark says what was there.
      this.pruned += 1;
    } else if (n > 0 && this.#chain.hashes.at(n) === hash) {
      this.anchors += 1;
      this.#linkCounts = Math.max(this.#linkCounts, n);
    } else {
      const where = this.#linkCounts < n ? `: one of the links ${this.#linkCounts + 1} to ${n} was changed` : '';
      bad(`its result says that link ${n} is ${hash || 'no hash'}, and the chain says otherwise${where}`);
    }
    const recorded = this.#chain.attempts.get(attempt)?.commands ?? 0;
    if (commands !== undefined && recorded !== commands && this.#chain.hashes.base === 0) {
      bad(`its result counts ${commands} commands, and the chain holds ${recorded}`);
    }
  }

  /** Once all histories were read: records of tasks that no workflow ever scheduled. */
  end(where: string, say: Say): void {
    if (this.#histories === 0) return;
    for (const [key, { record }] of this.#chain.attempts) {
      const [workflowId, activityId] = key.split('\0');
      if (this.#scheduled.has(`${workflowId}\0${activityId}`)) continue;
      say({ where, record: `record ${record}`, what: `no workflow scheduled the task ${String(activityId)}` });
    }
  }
}

/** Undefined: the input is not that of an operation. */
function requestedOf(input: unknown): Requested | undefined {
  const parsed = requested.safeParse(input);
  if (!parsed.success) return undefined;
  const { actor, specRef: spec, ...rest } = parsed.data;
  return { ...rest, spec, actor: actor.name, actorId: actor.id ?? '' };
}

/** What a payload says, without the stamp that says where it belongs; plans and records are compared without it. */
function decoded(data: string | undefined): unknown {
  if (data === undefined) return undefined;
  try {
    return withoutStamp(JSON.parse(Buffer.from(data, 'base64').toString('utf8')));
  } catch {
    return undefined;
  }
}

/** Undefined: nested deeper than any plan. */
function canonicalOf(value: unknown): string | undefined {
  try {
    return canonicalJson(value);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
