/**
 * Flags of both processes: types are stripped from a cache (strip-types.mjs: 22 MiB less in each, measured), and V8 compiles
 * less of what runs seldom (4 and 10 MiB less).
 */
const common = [
  `--import=${new URL('./strip-types.mjs', import.meta.url).href}`,
  // Of `stripTypeScriptTypes`, once for each process that fills the cache.
  '--disable-warning=ExperimentalWarning',
  '--optimize-for-size',
];

/**
 * Flags of Node for the processes of `npm start`. The young generation of V8 grows to three times this many MiB and is not
 * given back: with the default of 16 the two processes took 65 MiB more after a start, measured. The worker makes more
 * garbage, and with less room collects it more often than it saves.
 */
export const API_FLAGS = [...common, '--max-semi-space-size=2'];
export const WORKER_FLAGS = [...common, '--max-semi-space-size=4'];

/**
 * Environment of both. glibc gives each of a process's many threads an arena of its own, which keeps what was freed: with
 * two arenas API and worker took 45 MiB less after a start, measured. Read by malloc at the start of the process only.
 */
export const MEMORY_ENV = { MALLOC_ARENA_MAX: '2' } as const;
