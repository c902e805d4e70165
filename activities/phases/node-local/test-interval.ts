/** Time between two tests of an API server, ms; beyond 100 nodes longer, for API servers to spend no more on tests than with 100. */
export const testIntervalMs = (nodes: number): number => Math.max(500, 5 * nodes);
