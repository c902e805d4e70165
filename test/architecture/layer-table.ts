/** Which folders a folder may import values from; `types` are allowed on top. The table of docs/architecture.md. */
export const MAY_IMPORT: Record<string, { values: readonly string[]; types?: readonly string[] }> = {
  contracts: { values: ['contracts'] },
  workflows: { values: ['workflows', 'contracts'], types: ['activities'] },
  store: { values: ['store', 'contracts'] },
  telemetry: { values: ['telemetry'] },
  codec: { values: ['codec', 'contracts', 'store'] },
  activities: { values: ['activities', 'contracts', 'store'] },
  worker: { values: ['worker', 'telemetry', 'contracts', 'store', 'codec', 'workflows', 'activities'] },
  api: {
    values: ['api', 'telemetry', 'contracts', 'store', 'codec', 'activities', 'audit'],
    types: ['workflows', 'worker'],
  },
  audit: { values: ['audit', 'contracts', 'store', 'codec'] },
  cli: { values: ['cli', 'contracts', 'audit', 'store'] },
  lab: { values: ['lab', 'contracts', 'activities'] },
  ui: { values: ['ui', 'contracts'] },
};

/** `npm start`: the API process starts Temporal and the worker, and knows what they have in common. */
export const EMBEDDED: ReadonlySet<string> = new Set(['api/main.ts', 'api/embedded.ts', 'api/worker-process.ts']);

/** Files of contracts/ that workflows import as values; they import only one another. */
export const ZOD_FREE = [
  'cut',
  'earlier-kinds',
  'error-catalogue',
  'errors',
  'limits',
  'messages',
  'printable',
  'provenance',
  'quorum',
];
