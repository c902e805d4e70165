import { CURL } from '../../host/direct.ts';
import { API_SERVER_PORT } from '../../kube/paths.ts';
import { CHECK } from './flavour.ts';
import { PASSIVE, READY_SERVERS, READY_TARGET } from './nginx.ts';
import { CA, SETTINGS, STATES, STATUS_SOCKET, WANTED, WITHDRAWN } from './paths.ts';

/**
 * What units and keepalived call on a balancer: `offer`, `withdraw` and `ended` around a run of the balancer, `loaded` after a
 * reload, `serves`, `keepalived <file>` to check its configuration, `states`.
 */
export const BALANCER_SCRIPT = `#!/bin/sh
# Written by Kubewright.
set -u
status() { ${CURL} -s -m 1 --unix-socket ${STATUS_SOCKET} "http://localhost/$1"; }
# Any answer of an API server: whether it is ready is a question for the balancer.
answers() {
  code=$(${CURL} -s -m "$2" -o /dev/null -w '%{http_code}' --cacert ${CA} --connect-to "::$1:$port" "https://kubernetes:$port/readyz")
  [ "$code" != 000 ]
}
another() {
  for each in $others; do answers "$each" 0.5 && return; done
  return 1
}
flavour= port= others=
. ${SETTINGS}
case $1 in
  withdraw)
    echo 1 >${WITHDRAWN}
    # The next balancer takes the address within some ms; packets on their way still find this one.
    [ -z "$others" ] || sleep 0.5 ;;
  ended)
    # By itself: a new process takes longer to start than the address to move. While no other balancer serves, the address
    # stays: to take it anew takes longer still.
    if [ "\${SERVICE_RESULT:-success}" != success ] && another; then echo 1 >${WITHDRAWN}; fi ;;
  offer)
    echo 0 >${WITHDRAWN} ;;
  loaded)
    tries=0
    until [ "$(status config)" = "$(cat ${WANTED})" ]; do
      tries=$((tries + 1))
      if [ "$tries" -ge 50 ]; then
        echo "the balancer goes on with an earlier configuration: $(status config)" >&2
        exit 1
      fi
      sleep 0.1
    done ;;
  serves)
    answers 127.0.0.1 1.2 && exit 0
    ! another || exit 1
    # No balancer reaches an API server: moving the address would not change that.
    exit 0 ;;
  keepalived)
    said=$(keepalived --config-test --use-file "$2" 2>&1)
    code=$?
    said=$(printf '%s\\n' "$said" | grep -vx Terminated)
    # keepalived 2.2 ends its test by a SIGTERM of its own where the file has a script: then what it printed counts.
    [ "$code" = 0 ] || { [ "$code" = 143 ] && [ -z "$said" ]; } || { printf '%s\\n' "$said" >&2; exit 1; } ;;
  states)
    if [ "$flavour" != haproxy ]; then cat ${STATES}; exit; fi
    status ';csv' | awk -F , '
      $1 == "ready" && $2 != "BACKEND" && $2 != "FRONTEND" {
        print $2, ($18 ~ /^UP/ ? "ready" : $18 ~ /^(NOLB|DRAIN)/ ? "draining" : "down")
      }' ;;
  *)
    echo "unknown: $1" >&2
    exit 2 ;;
esac
`;

/** Between two tests for nginx, seconds: two tests that time out, the pauses and a reload take less than 2 s. */
const PAUSE_SECONDS = 0.3;
const TIMEOUT_SECONDS = 0.5;

/**
 * Tests the API servers for nginx, which only learns from failed connections: \`balancer-health <port> <name>=<address>...\`. Writes which of them
 * are ready, has nginx check that and reload. One that is not ready gets no new connection; one that does not answer also loses those that it has.
 */
export const HEALTH_SCRIPT = `#!/bin/sh
# Written by Kubewright. balancer-health <port> <ca> <cert> <key> <name>=<address>...
set -u
export LC_ALL=C
port=$1 ca=$2 cert=$3 key=$4
shift 4
set -f
urls=
for server; do urls="$urls -o /dev/null https://\${server#*=}:${API_SERVER_PORT}/readyz"; done
in_use=
for server; do eval "failed_$(printf %s "\${server%%=*}" | tr - _)=0"; done
while :; do
  # One process for all of them, side by side.
  codes=$(${CURL} -s -Z --parallel-immediate -m ${TIMEOUT_SECONDS} --cacert "$ca" --cert "$cert" --key "$key" -w '%{url_effective} %{http_code}\\n' $urls 2>/dev/null)
  ready= states= lost=
  for server; do
    name=\${server%%=*} address=\${server#*=}
    count=failed_$(printf %s "$name" | tr - _)
    eval "failures=\\$$count"
    case "
$codes
" in
      *"
https://$address:${API_SERVER_PORT}/readyz 200
"*) failures=0 state=ready ready="$ready $address" ;;
      *"
https://$address:${API_SERVER_PORT}/readyz 000
"*)
        failures=$((failures + 1)) state=down
        # One lost answer is none.
        if [ "$failures" -lt ${CHECK.failures} ]; then
          case " $in_use " in *" $address "*) state=ready ready="$ready $address" ;; esac
        elif [ "$failures" = ${CHECK.failures} ]; then lost="$lost $address"
        fi ;;
      *) failures=0 state=draining ;;
    esac
    eval "$count=$failures"
    states="$states$name $state
"
  done
  printf %s "$states" >${STATES}.new && mv -f ${STATES}.new ${STATES}
  if [ "$ready" != "$in_use" ]; then
    if [ -n "$ready" ]; then
      {
        echo 'upstream ready {'
        echo '    least_conn;'
        for server; do
          address=\${server#*=} backup=' backup'
          case " $ready " in *" $address "*) backup= ;; esac
          echo "    server $address:${API_SERVER_PORT} ${PASSIVE}$backup;"
        done
        echo '}'
      } >${READY_SERVERS}.new
      echo "$port ready;" >${READY_TARGET}.new
      mv -f ${READY_SERVERS}.new ${READY_SERVERS}
      mv -f ${READY_TARGET}.new ${READY_TARGET}
    else
      # Better an API server that is not ready than none.
      rm -f ${READY_TARGET}
    fi
    if said=$(nginx -t -q 2>&1) && said=$(systemctl reload nginx.service 2>&1); then
      in_use=$ready
      echo "ready:\${ready:- none}"
    else
      echo "nginx does not take: \${ready:- none}: $said" >&2
      rm -f ${READY_TARGET}
      sleep 1
    fi
  fi
  # Requests to a machine that is gone would wait for an answer for minutes.
  for address in $lost; do ss -K dst "$address" dport = ":${API_SERVER_PORT}" >/dev/null 2>&1; done
  sleep ${PAUSE_SECONDS}
done
`;
