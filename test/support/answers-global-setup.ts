import { endRun } from './answers.ts';

/**
 * The run fails when an answer differed from the OpenAPI document, also one that no test looked at, or of a service that a
 * global setup started. Listed first, so that it ends after the services.
 */
export default function setup(): () => void {
  return () => {
    const lines = endRun();
    if (lines.length > 0) throw new Error(`answers differ from the OpenAPI document:\n  ${lines.join('\n  ')}`);
  };
}
