#!/bin/bash
# SPDX-License-Identifier: MIT
#
# guest_test.sh [bochs|arm64]...: that the guests keep their promises, with tests/emulated/facts.c.
# Three boots each: 30 s for bochs, 10 s for arm64. Exit 77 when a guest is not available here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$here/../emulated/lab.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

test_bochs() {
    local run=$here/bochs.sh facts=$work/facts
    need "${CC:=gcc}" gcc libc6-dev
    "$CC" -std=c11 -O2 -static -pthread -o "$facts" "$here/../emulated/facts.c"
    check 'bochs: bad model' 2 '' "$run" --model 486 "$facts"
    check 'bochs: bad limit' 2 '' "$run" --max-time 8001 "$facts"
    check 'bochs: bad timeout' 2 '' "$run" --timeout soon "$facts"
    check 'bochs: no program' 2 '' "$run"
    check 'bochs: all instructions, the limit set' 0 \
        '~^2 CPUs.waitpkg 1 mwaitx 1 max_time 8000.*umwait, .*seen.*mwaitx, .*seen' \
        "$run" --max-time 8000 "$facts"
    check 'bochs: UMWAIT is illegal on the MWAITX model' 132 '' \
        "$run" --model mwaitx-only "$facts" umwait
    # On a busy host time may be up before the guest has come to say so: then there is but echo's line.
    # shellcheck disable=SC2016 # the inner shell's
    check 'bochs: out of time' 124 '~^(hanging.)?.$' \
        sh -c '"$@"; status=$?; echo; exit $status' _ "$run" --timeout 14 "$facts" hang
}

test_arm64() {
    local run=$here/arm64.sh facts=$work/facts.arm64
    need "${CC_ARM64:=aarch64-linux-gnu-gcc}" gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    "$CC_ARM64" -std=c11 -O2 -static -pthread -o "$facts" "$here/../emulated/facts.c"
    check 'arm64: not an arm64 program' 2 '' "$run" /bin/true
    check 'arm64: bad variable' 2 '' "$run" --env FACTS "$facts"
    check 'arm64: arguments and environment' 0 $'a b\n"c\nx y' \
        "$run" --env 'FACTS=x y' "$facts" say 'a b' '"c'
    check 'arm64: no event stream' 0 '~^2 CPUs.*evtstrm 0 wfxt 1.*SEV  seen' \
        "$run" --no-evtstrm "$facts"
    check 'arm64: illegal instruction, a CPU without WFET' 132 '' \
        "$run" --cpu cortex-a57 "$facts" illegal
    check 'arm64: a guest that dies' 125 '' "$run" --set /proc/sysrq-trigger=c "$facts"
}

[ $# -gt 0 ] || set -- bochs arm64
for guest in "$@"; do
    case $guest in
    bochs | arm64) "test_$guest" ;;
    *) usage_error "the guests are bochs and arm64, not '$guest'" ;;
    esac
done
checks_end
