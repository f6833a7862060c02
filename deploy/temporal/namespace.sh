#!/bin/sh
# Makes the namespace that subscriptions live in, and the search attributes that they set.
#
# The attributes are those of workflows/names.py; all must exist before the first subscription starts. Safe to
# repeat: what exists already is left as it is. An attribute that exists with another type is an error.
# Needs TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE; TEMPORAL_API_KEY and TEMPORAL_TLS_... work as everywhere.
set -eu

: "${TEMPORAL_ADDRESS:?the address of the Temporal server is not given}"
: "${TEMPORAL_NAMESPACE:?the namespace is not named}"
RETENTION="${NAMESPACE_RETENTION:-30d}" # how long ended subscriptions can still be read
PATIENCE="${PATIENCE_SECONDS:-120}"     # a server that has just started, or a new namespace, takes a while

# Repeats a command until it succeeds. Out of patience, or when trying again is no use, shows its last words.
patiently() {
    waited=0
    while ! said=$("$@" 2>&1); do
        case "$said" in *"different type"*) waited=$PATIENCE ;; esac
        if [ "$waited" -ge "$PATIENCE" ]; then
            echo "failed: $*" >&2
            echo "$said" >&2
            exit 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
}

namespace_exists() {
    temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE"
}

create_namespace() {
    namespace_exists >/dev/null 2>&1 ||
        temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
}

# Names and types, in turns. The program wants a --type for each --name: names beyond the types it drops silently.
create_attributes() {
    left=$#
    while [ "$left" -gt 0 ]; do
        set -- "$@" --name "$1" --type "$2"
        shift 2
        left=$((left - 2))
    done
    patiently temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" "$@"
}

# The same names and types: waits until the server shows each, so that whoever starts next can rely on it.
await_attributes() {
    while [ $# -gt 0 ]; do
        patiently has_attribute "$1" "$2"
        echo "search attribute $1 ($2)"
        shift 2
    done
}

has_attribute() {
    listed=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" --color never) || return 1
    if ! echo "$listed" | grep -Eq "^ *$1 +$2 *\$"; then
        echo "there is no search attribute $1 of type $2"
        return 1
    fi
}

patiently temporal operator cluster health
patiently create_namespace
patiently namespace_exists
echo "namespace $TEMPORAL_NAMESPACE at $TEMPORAL_ADDRESS"

set -- \
    SubscriptionStatus Keyword \
    NextActionAt Datetime \
    Plan Keyword \
    MerchantReference Keyword \
    MerchantAccount Keyword \
    LastReason Keyword \
    NeedsAttention Bool \
    PastDue Bool
create_attributes "$@"
await_attributes "$@"
echo "the namespace is ready"
