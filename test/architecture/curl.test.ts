import { expect, it } from 'vitest';
import { sources } from './source-files.ts';

/** A call of curl in a script: first on its line, or after what begins a command. */
const CALL = /(?:^|\$\(|[;&|(]|\bif|\buntil|\bwhile|\bthen|\bdo|\belse|\bexec|\btimeout \d+)\s*curl\s+[-"$h]/;

it('scripts on hosts call curl by CURL or CURL_WORDS, which ask no proxy and read no ~/.curlrc', () => {
  // The test is blind when it knows no call.
  for (const call of ['says=$(curl -sS x', '  curl --silent \\', 'if curl -s x; then', 'timeout 5 curl https://x']) {
    expect(call).toMatch(CALL);
  }
  const bare = sources().flatMap(({ path, text }) =>
    path.startsWith('activities/')
      ? text.split('\n').flatMap((line, index) => {
          const comment = /^\s*(\*|\/\/|\/\*)/.test(line);
          return !comment && (CALL.test(line) || /\[\s*'curl'/.test(line))
            ? [`${path}:${index + 1} ${line.trim()}`]
            : [];
        })
      : [],
  );
  expect(bare.filter((line) => !line.startsWith('activities/host/direct.ts:'))).toEqual([]);
});
