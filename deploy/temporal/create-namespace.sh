#!/bin/sh
# The namespace of Kubewright with its retention and search attributes. Safe to repeat.
# The attributes are those of contracts/messages.ts; a test holds the two together.
set -eu

retention=90d

tries=0
until temporal operator cluster health >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "Temporal at $TEMPORAL_ADDRESS does not answer" >&2; exit 1; }
  sleep 1
done

if temporal operator namespace describe --namespace "$NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace update --namespace "$NAMESPACE" --retention "$retention"
else
  temporal operator namespace create --namespace "$NAMESPACE" --retention "$retention" \
    --description 'Kubewright: clusters and their operations'
fi

attribute() {
  # A known name is refused with an error that says so; anything else is an error of ours.
  if answer=$(temporal operator search-attribute create --namespace "$NAMESPACE" --name "$1" --type "$2" 2>&1); then
    return 0
  fi
  case $answer in
    *already*) ;;
    *) echo "$answer" >&2; exit 1 ;;
  esac
}

attribute ClusterId Keyword
attribute OpId Keyword
attribute OpType Keyword
attribute State Keyword
attribute NeedsDecision Bool
attribute Paused Bool
attribute BlockedHosts KeywordList
echo "namespace $NAMESPACE is ready"
