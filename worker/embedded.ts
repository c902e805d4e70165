import type { Projections } from '../store/projections.ts';

/** What an embedded worker says to the API process that started it, over the channel that Node gives to a child. */
export type WorkerMessage =
  /** The workers poll. `metrics`: where this process serves its own, if it does. */
  | { type: 'ready'; metrics?: string | undefined }
  /** This process saved a status of these clusters: followers in the API process need not wait for their next look. */
  | { type: 'changed'; clusters: string[] };

/** The argument with which the API process starts its worker. */
export const EMBEDDED_ARGUMENT = '--embedded';

/** The side of the worker. */
export interface ApiChannel {
  ready(metrics: string | undefined): void;
  /** Notifies the API of saved changes from now on. */
  follow(projections: Pick<Projections, 'onChange'>): void;
}

/** The channel to the API process; null in a worker that stands by itself. `onLost` is called when that process is gone. */
export function apiChannel(onLost: () => void): ApiChannel | null {
  if (!process.argv.includes(EMBEDDED_ARGUMENT) || process.send === undefined) return null;
  process.once('disconnect', onLost);
  const changed = new Set<string>();
  let sending = false;
  // One message at a time: an API process that is blocked must not cost this one memory.
  const flush = (): void => {
    if (sending || changed.size === 0 || !process.connected) return;
    sending = true;
    const clusters = [...changed];
    changed.clear();
    send({ type: 'changed', clusters }, () => {
      sending = false;
      flush();
    });
  };
  return {
    ready: (metrics) => send({ type: 'ready', metrics }),
    follow(projections) {
      projections.onChange((cluster) => {
        changed.add(cluster);
        flush();
      });
    },
  };
}

function send(message: WorkerMessage, done: () => void = () => undefined): void {
  // A lost channel has its own event.
  process.send?.(message, undefined, {}, () => done());
}
