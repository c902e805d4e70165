import { useTexts } from '../lib/texts.ts';
import texts from '../texts/states.ts';
import { Badge, type Tone } from './badge.tsx';

const TONES: Record<string, Tone> = {
  ...{ running: 'busy', planning: 'busy', queued: 'quiet', pausing: 'warn', paused: 'warn', blocked: 'bad' },
  ...{
    succeeded: 'good',
    failed: 'bad',
    cancelled: 'quiet',
    lost: 'bad',
    pending: 'quiet',
    skipped: 'warn',
    done: 'good',
  },
  ...{ ready: 'good', healthy: 'good', degraded: 'warn', unknown: 'quiet', quarantined: 'warn' },
  ...{ building: 'busy', removing: 'busy', incomplete: 'warn', removed: 'quiet' },
};

/** The state of a cluster, an operation, a host or a task. */
export function StateBadge({ state }: { state: string }) {
  const t = useTexts(texts);
  return <Badge tone={TONES[state] ?? 'quiet'}>{state in t ? t[state as keyof typeof t] : state}</Badge>;
}
