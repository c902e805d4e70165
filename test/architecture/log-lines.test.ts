import { describe, expect, it } from 'vitest';
import { sources } from './source-files.ts';

const CALL = /\b(?:log|logger)\??\.(?:trace|debug|info|warn|error|fatal)\(/g;
const LAST_TEXT = /(['"`])((?:(?!\1).)*)\1,?\s*$/;

/** Fixed messages of the calls of a logger in a source. Calls that pass a line on, such as those of Temporal, have none. */
function messages(text: string): string[] {
  return [...text.matchAll(CALL)].flatMap((call) => {
    const begin = call.index + call[0].length;
    let end = begin;
    for (let depth = 1; depth > 0 && end < text.length; end++) {
      if ('([{'.includes(text[end]!)) depth++;
      else if (')]}'.includes(text[end]!)) depth--;
    }
    const found = LAST_TEXT.exec(text.slice(begin, end - 1));
    return found ? [found[2]!] : [];
  });
}

/** What is wrong with a log line, or null. A line names its subject first, then a verb, then the object. */
function fault(message: string): string | null {
  if (!/^(?:the|a|an|other|Kubewright|Temporal|retention) [a-zA-Z]/.test(message)) return 'begins with no subject';
  if (message.split(' ').length < 3) return 'has no verb or no object';
  if (/\b(?:could|can)(?:not| not) be\b/.test(message)) return 'does not name who failed';
  if (/\b(?:we|us|our|ours|nobody|anybody|somebody|whoever)\b/i.test(message)) return 'names no component';
  if (/[.!]$/.test(message)) return 'ends with a full stop';
  return null;
}

describe('log lines', () => {
  const found = sources()
    .filter(({ path }) => !path.startsWith('test/'))
    .flatMap(({ path, text }) => messages(text).map((message) => ({ path, message })));

  it('have a subject, a verb and an object', () => {
    const wrong = found.flatMap(({ path, message }) => {
      const why = fault(message);
      return why === null ? [] : [`${path}: "${message}" ${why}`];
    });
    expect(wrong).toEqual([]);
  });

  it('are found in the processes that log', () => {
    for (const folder of ['api', 'worker', 'activities', 'store'])
      expect(found.map(({ path }) => path.split('/')[0])).toContain(folder);
  });

  it.each([
    'a request could not be recorded',
    'ending',
    'Temporal does not take us in',
    'what is too old was removed',
    'the worker stops.',
  ])('are refused: %s', (message) => {
    expect(fault(message)).not.toBeNull();
  });

  it('are read from calls over several lines', () => {
    const text = "logger?.warn(\n  { err: error, of: name(error) },\n  'the worker could not read (x) of it',\n);";
    expect(messages(text)).toEqual(['the worker could not read (x) of it']);
  });
});
