#!/bin/bash
# SPDX-License-Identifier: MIT
#
# echo_test.sh ECHO: every byte of every connection comes back, whichever shard serves it; every connection is
# served once; bad arguments are refused.
set -euo pipefail
echo=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# came_back CONNECTIONS BYTES OPTION...
came_back() {
    local connections=$1 bytes=$2 code=0
    shift 2
    "$echo" --connections "$connections" --bytes "$bytes" "$@" >"$work/said" || code=$?
    cat "$work/said"
    [ $code -ne 77 ] || exit 77
    [ $code -eq 0 ]
    grep -qx "$connections of $connections connections had all of their bytes back: $connections \
accepted, $connections served, $((connections * bytes)) bytes" "$work/said"
}

came_back 1 1 --shards 1
came_back 32 20000
came_back 60 3001 --shards 3 --pinned
came_back 3 300000 --shards 16

# Dealt out in turn, so that no server is without.
[ "$(grep -c '^server' "$work/said")" -eq 16 ]
[ "$(grep -c '^server .*: 1 connections, 300000 bytes' "$work/said")" -eq 3 ]

# refused ARGUMENT...: with a line on stderr, nothing else, and status 2.
refused() {
    local code=0
    "$echo" "$@" >"$work/out" 2>"$work/err" || code=$?
    if [ $code -ne 2 ] || [ -s "$work/out" ] || ! grep -q '^usage' "$work/err"; then
        echo "$*: $code: $(cat "$work/err")"
        exit 1
    fi
}

refused nonsense
refused --shards
refused --shards 0
refused --shards 17
refused --shards 2x
refused --connections -1
refused --bytes ''
refused --bytes 100000001
