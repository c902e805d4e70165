import { CURL } from '../host/direct.ts';

/**
 * sh for checks of servers that must refuse clients without a certificate. `refuses_strangers <name> <tries> <ca> <url>`
 * prints `ready`, or one line with what is wrong. Refused is what a server says: one that is not there (curl's exit codes
 * 6 and 7), is slow (28) or says nothing (52) has not said it, and is asked again, every 0.5 s.
 */
export const REFUSES_STRANGERS = `
refuses_strangers() {
  tries=0
  while :; do
    code=0
    ${CURL} -s -m 5 -o /dev/null --cacert "$3" "$4" || code=$?
    case $code in
      0) echo "$1 answers clients without a certificate"; return ;;
      6 | 7 | 28 | 52) ;;
      *) echo ready; return ;;
    esac
    tries=$((tries + 1))
    [ "$tries" -lt "$2" ] || { echo "$1 does not answer a client without a certificate (curl exit $code)"; return; }
    sleep 0.5
  done
}
`;
