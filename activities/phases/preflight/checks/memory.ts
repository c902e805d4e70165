import { z } from 'zod';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

export default defineCheck({
  name: 'memory',
  about: 'memory',
  title: 'Memory',
  inspects: 'MemTotal of /proc/meminfo, on control planes and workers.',
  codes: ['MEMORY_TOO_SMALL'],
  options: {
    minMemoryMiB: z.int().min(0).max(10_000_000).default(900).describe('Minimum memory of hosts that run pods'),
  },
  evaluate({ host, facts, options }) {
    if (!runsPods(host) || facts.memoryMiB >= options.minMemoryMiB) return [];
    const message = `${facts.memoryMiB} MiB of memory, at least ${options.minMemoryMiB} are wanted`;
    return [{ code: 'MEMORY_TOO_SMALL', message, evidence: `MemTotal: ${facts.memoryMiB} MiB` }];
  },
});
