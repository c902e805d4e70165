import { parentPort } from 'node:worker_threads';
import { KubewrightError } from '../../contracts/errors.ts';
import { type ParseJob, parseBytes } from './parse.ts';
import type { ParseAnswer } from './parse-pool.ts';

// Worker thread of parse-pool.ts: one job at a time.
parentPort?.on('message', (job: ParseJob) => {
  parentPort?.postMessage(answerTo(job));
});

function answerTo(job: ParseJob): ParseAnswer {
  try {
    return { parsed: parseBytes(job) };
  } catch (error) {
    if (KubewrightError.is(error)) return { report: error.report() };
    return { report: { code: 'INTERNAL', message: 'the document could not be parsed' } };
  }
}
