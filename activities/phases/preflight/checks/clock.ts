import { z } from 'zod';
import { defineCheck } from '../check.ts';

export default defineCheck({
  name: 'clock',
  about: 'clock',
  title: 'Clock',
  inspects: 'The clock of every host, compared with that of the worker.',
  codes: ['CLOCK_SKEW'],
  options: {
    maxClockSkewSeconds: z
      .int()
      .min(1)
      .max(86_400)
      // Certificates begin five minutes before they are made.
      .default(300)
      .describe('Maximum difference between the clock of the host and that of the worker'),
  },
  probe: { script: 'say "$(date +%s%N)"', args: () => [] },
  evaluate({ options, askedAtMs, answeredAtMs }, [row]) {
    const clockMs = Number(row?.[0]) / 1e6;
    // The script ran somewhere in between: only what lies outside is certain.
    const skewMs = Math.max(clockMs - answeredAtMs, askedAtMs - clockMs, 0);
    if (skewMs <= options.maxClockSkewSeconds * 1000) return [];
    if (Number.isNaN(clockMs) || Math.abs(clockMs) > 8.64e15) {
      return [{ code: 'CLOCK_SKEW', message: 'the clock cannot be read', evidence: `date +%s%N: ${row?.[0] ?? ''}` }];
    }
    const which = clockMs < askedAtMs ? 'behind' : 'ahead';
    const [there, here] = [clockMs, askedAtMs].map((ms) => new Date(ms).toISOString());
    return [
      {
        code: 'CLOCK_SKEW',
        message: `the clock is ${Math.round(skewMs / 1000)} s ${which}`,
        evidence: `host ${there}, worker ${here}; allowed ${options.maxClockSkewSeconds} s`,
      },
    ];
  },
});
