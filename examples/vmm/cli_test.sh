#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cli_test.sh XSC-VMM: the governor as a user sees it: off unless asked for, told of once, and off
# with one line for whatever else XSC_IDLE_SLEEP may say. No time is judged.
set -u

vmm=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
unset XSC_IDLE_SLEEP

fail() {
    echo "FAILED: $*" >&2
    failed=1
}

# ends STATUS ARGUMENT...: runs it; its output is in $dir/out and $dir/err.
ends() {
    wanted=$1
    shift
    "$vmm" "$@" >"$dir/out" 2>"$dir/err"
    status=$?
    [ $status -eq "$wanted" ] || fail "$* ended with $status, not $wanted: $(cat "$dir/err")"
}

for arguments in '' 'nonsense' 'unicorn 0' 'unicorn -1' 'unicorn 1s' 'unicorn 3601' 'unicorn 1 1'; do
    # shellcheck disable=SC2086 # words apart
    ends 2 $arguments
    [ "$(wc -l <"$dir/err")" -eq 1 ] || fail "$arguments: not one line on stderr: $(cat "$dir/err")"
done

engine=
for try in unicorn kvm; do
    "$vmm" $try 1 >"$dir/out" 2>"$dir/err"
    case $? in
    0) engine=$try && break ;;
    77) cat "$dir/err" ;;
    *) fail "$try: $(cat "$dir/err")" ;;
    esac
done
if [ -z "$engine" ]; then
    echo 'skipped: needs an engine: libunicorn-dev at build time, or /dev/kvm'
    [ $failed -ne 0 ] || exit 77
    exit 1
fi

# What the engine ran with just now: nothing.
for asked in unset 0 75; do
    if [ $asked != unset ]; then
        XSC_IDLE_SLEEP=$asked ends 0 $engine 1
    fi
    grep -q 'slept after 0 of them' "$dir/out" || fail "XSC_IDLE_SLEEP $asked: $(cat "$dir/out")"
    lines=0
    [ $asked != 75 ] || lines=1
    [ "$(wc -l <"$dir/err")" -eq $lines ] || fail "XSC_IDLE_SLEEP $asked: $(cat "$dir/err")"
done
grep -q 'XSC_IDLE_SLEEP is 0 (off), 50, 100 or 200 us' "$dir/err" || fail "75: $(cat "$dir/err")"

XSC_IDLE_SLEEP=200 ends 0 $engine 1
grep -q 'slept after [1-9]' "$dir/out" || fail "200: $(cat "$dir/out")"
[ "$(grep -c 'idle governor: on, .* 200 us' "$dir/err")" -eq 1 ] || fail "200: $(cat "$dir/err")"
[ "$(grep -c 'idle governor: active' "$dir/err")" -eq 1 ] || fail "200: $(cat "$dir/err")"
exit $failed
