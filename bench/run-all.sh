#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run-all.sh [xsc-wait-bench [DIRECTORY]]: every question with its default size, some 15 minutes,
# most of them idle's. With a directory: as JSON, into QUESTION.json there, instead of text.
set -eu

bench=${1:-build/bench/bench/xsc-wait-bench}
out=${2-}

if [ ! -x "$bench" ]; then
    echo "run-all.sh: no program $bench (usage: run-all.sh XSC-WAIT-BENCH [DIRECTORY])" >&2
    exit 2
fi
if [ -n "$out" ] && ! { [ -d "$out" ] && [ -w "$out" ]; }; then
    echo "run-all.sh: $out is no directory that can be written to" >&2
    exit 2
fi

status=0

# ask NAME ARGUMENT...: one question. One that this machine can't answer has said so: the rest goes on.
ask() {
    name=$1
    shift
    code=0
    if [ -n "$out" ]; then
        "$bench" "$@" --json >"$out/$name.json" || code=$?
    else
        "$bench" "$@" || code=$?
        echo
    fi
    if [ "$code" -ne 0 ] && [ "$code" -ne 77 ]; then
        status=1
    fi
}

ask fastpath fastpath
ask handover handover
ask first-wait first-wait
ask watch watch
ask watch-pauses watch --pauses 1,2,4,10
ask any any
ask overshoot overshoot
"$bench" --list | grep -q '^one-cpu ' && ask one-cpu one-cpu
ask notify notify
ask idle idle
"$bench" --list | grep -q '^doorbell ' && ask doorbell doorbell
"$bench" --list | grep -q '^replay ' && ask replay replay
"$bench" --list | grep -q '^locks ' && ask locks locks
"$bench" --list | grep -q '^shards ' && ask shards shards
exit $status
