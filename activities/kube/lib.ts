import { CURL } from '../host/direct.ts';
import { file } from '../resources/file.ts';
import type { Resource } from '../resources/resource.ts';

/** Our own helper scripts on hosts. */
export const LIB_DIR = '/usr/local/lib/kubewright';
export const WAIT_URL = `${LIB_DIR}/wait-url`;

/**
 * `wait-url <seconds> <url> <ca> <cert> <key> [<text>]`: waits until the address answers with success, and with the text
 * in its answer when one is given. Units use it where readiness is more than a started process, also at boot.
 */
export const waitUrl = (): Resource => file(WAIT_URL, WAIT_URL_SCRIPT, { mode: 0o755 });

const WAIT_URL_SCRIPT = `#!/bin/sh
# Written by Kubewright. wait-url <seconds> <url> <ca> <cert> <key> [<text>]
deadline=$(($(date +%s) + $1))
until says=$(${CURL} -sS -f -m 5 --cacert "$3" --cert "$4" --key "$5" "$2" 2>&1) &&
  case "$says" in *"\${6:-}"*) ;; *) false ;; esac; do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    printf 'gave up after %s s on %s\\n%s\\n' "$1" "$2" "$says" | tail -c 8000 >&2
    exit 1
  fi
  sleep 0.1
done
`;
