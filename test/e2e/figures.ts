import { appendFileSync } from 'node:fs';

/** One measured thing of docs/benchmarks.md. */
export interface Figure {
  /** The table that it belongs to. */
  table: string;
  /** Column name → text. */
  cells: Record<string, string>;
}

/** Hands a figure to `npm run bench:faults`, which gives the file; an ordinary test run measures for nothing. */
export function figure(table: string, cells: Record<string, string>): void {
  const file = process.env['KUBEWRIGHT_FIGURES'];
  if (file) appendFileSync(file, `${JSON.stringify({ table, cells } satisfies Figure)}\n`);
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
