/**
 * Thrown by `parse` of a resource kind: the probe's answer says neither how it is nor that it is not there. The engine
 * asks again when the turn of the resource comes, for a bounded time, and then fails with STATE_UNKNOWN and these words.
 */
export class Unknown extends Error {
  /** What the answer counts as when it stays the same for the whole time (a unit that goes on starting, say). */
  readonly otherwise: { readonly state: unknown } | undefined;

  constructor(why: string, otherwise?: { readonly state: unknown }) {
    super(why);
    this.name = 'Unknown';
    this.otherwise = otherwise;
  }
}

/** What a probe learned of one resource. */
export type Answer<State = unknown> =
  | { readonly known: true; readonly state: State }
  | { readonly known: false; readonly why: string; readonly otherwise?: { readonly state: unknown } | undefined };

/** An answer from a function that throws Unknown; everything else that it throws is thrown on. */
export function answerOf<State>(read: () => State): Answer<State> {
  try {
    return { known: true, state: read() };
  } catch (error) {
    if (!(error instanceof Unknown)) throw error;
    return { known: false, why: error.message, otherwise: error.otherwise };
  }
}
