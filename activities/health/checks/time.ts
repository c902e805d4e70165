import type { HealthReason } from '../../../contracts/health.ts';
import { defineHealthCheck, rowsOf } from '../view.ts';

/** Clocks of hosts: that their daemons follow what they have to follow, and how far they are from it and from each other. */
export default defineHealthCheck(35, ({ hosts, out }) => {
  const measured: { name: string; offset: number; allowed: number; source: string }[] = [];
  const single = hosts.flatMap(({ host: { name }, rows }): HealthReason[] => {
    const [row] = rowsOf(rows, 'time');
    if (!row || out.has(name)) return [];
    const [follows, most, milliseconds = '', source = ''] = row;
    const subject = `clock of ${name}`;
    const offset = Number(milliseconds);
    if (milliseconds === '' || !Number.isFinite(offset)) {
      if (follows !== 'followed') return [];
      return [{ code: 'TIME_UNSYNCHRONIZED', subject, reason: `the clock of ${name} follows no time server` }];
    }
    measured.push({ name, offset, allowed: Number(most), source });
    if (Math.abs(offset) <= Number(most)) return [];
    const reason = `the clock of ${name} is ${offset} ms away from ${source}`;
    return [{ code: 'TIME_OFFSET', subject, reason, evidence: `allowed: ${most} ms` }];
  });
  if (single.some(({ code }) => code === 'TIME_OFFSET')) return single;
  const [first, ...others] = measured.toSorted((a, b) => a.offset - b.offset);
  const last = others.at(-1);
  if (!first || !last || last.offset - first.offset <= Math.min(first.allowed, last.allowed)) return single;
  const apart = (last.offset - first.offset).toFixed(3);
  const evidence = [first, last].map(({ name, offset, source }) => `${name}: ${offset} ms from ${source}`).join(', ');
  return [
    ...single,
    {
      code: 'TIME_OFFSET',
      subject: `clocks of ${first.name} and ${last.name}`,
      reason: `the clocks of ${first.name} and ${last.name} are ${apart} ms apart`,
      evidence,
    },
  ];
});
