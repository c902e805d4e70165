#!/bin/sh
# The namespace of Kubewright with its retention and search attributes. Safe to repeat.
# The attributes are those of contracts/messages.ts; a test holds the two together.
set -eu

retention=90d

# Repeats a command for a minute: the server may still start, and a new namespace is known to it only seconds later.
patiently() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ]; then
      "$@"
      exit 1
    fi
    sleep 1
  done
}

patiently temporal operator cluster health
if temporal operator namespace describe --namespace "$NAMESPACE" >/dev/null 2>&1; then
  patiently temporal operator namespace update --namespace "$NAMESPACE" --retention "$retention"
else
  temporal operator namespace create --namespace "$NAMESPACE" --retention "$retention" \
    --description 'Kubewright: clusters and their operations'
fi

patiently temporal operator search-attribute list --namespace "$NAMESPACE"

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
