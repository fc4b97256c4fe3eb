#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cli_test.sh XSC-WAIT-BENCH: bad arguments end in one line and status 2, every question is
# answered in its smallest size, one CPU is refused where two are needed. No time is judged.
set -u

bench=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

fail() {
    echo "FAILED: $*" >&2
    failed=1
}

# ends STATUS ARGUMENT...: runs it; its output is in $dir/out and $dir/err.
ends() {
    wanted=$1
    shift
    "$bench" "$@" >"$dir/out" 2>"$dir/err"
    status=$?
    [ $status -eq "$wanted" ] || fail "$* ended with $status, not $wanted: $(cat "$dir/err")"
}

refused() {
    ends 2 "$@"
    [ "$(wc -l <"$dir/err")" -eq 1 ] || fail "$*: not one line on stderr: $(cat "$dir/err")"
    [ ! -s "$dir/out" ] || fail "$*: printed something although refused"
}

refused
refused nonsense
refused fastpath --rounds 0
refused fastpath --rounds
refused fastpath --nonsense
refused fastpath --pauses 1,2
refused fastpath --child 0
refused handover --cpus 0
refused handover --cpus 0,1023
refused overshoot fastpath

ends 0 --list
questions=$(cut -d' ' -f1 <"$dir/out")
[ "$(echo "$questions" | wc -l)" -ge 5 ] || fail "--list shows less than five questions"
ends 0 --help
for q in $questions; do
    grep -q "^$q " "$dir/out" || fail "--help does not name $q"
done
ends 0 --version

# Where --json is built in, what it prints must be JSON with a table and a goal or a note in it.
json=yes
"$bench" overshoot --rounds 1 --iterations 1 --json >"$dir/out" 2>"$dir/err"
case $?:$(cat "$dir/err") in
0:*) ;;
2:*"not built in"*) json=no ;;
*) fail "overshoot --json: $(cat "$dir/err")" ;;
esac
command -v python3 >/dev/null || json=no

cpus=$(nproc)
for q in $questions; do
    if [ "$cpus" -lt 2 ] && { [ "$q" = handover ] || [ "$q" = watch ] || [ "$q" = any ] ||
        [ "$q" = doorbell ] || [ "$q" = shards ] ||
        [ "$q" = replay ] || [ "$q" = idle ]; }; then
        ends 77 "$q" --rounds 1
        continue
    fi
    if [ "$q" = idle ]; then # needs a guest, and has said so
        "$bench" idle --rounds 1 --iterations 1 >"$dir/out" 2>"$dir/err"
        if [ $? -eq 77 ]; then
            grep -q 'idle needs an engine' "$dir/err" || fail "idle does not say what it needs"
            continue
        fi
    fi
    ends 0 "$q" --rounds 2 --iterations 3
    grep -q '^  cpu ' "$dir/out" || fail "$q does not say on which machine"
    if [ $json = yes ]; then
        ends 0 "$q" --rounds 2 --iterations 3 --json
        python3 - "$q" "$dir/out" <<'PYTHON' || fail "$q --json"
import json, sys
report = json.load(open(sys.argv[2]))
assert report["question"] == sys.argv[1]
assert report["machine"]["cpu"]
assert report["tables"] and report["tables"][0]["rows"]
for row in report["tables"][0]["rows"]:
    for metric in row["metrics"].values():
        rounds = [r for r in metric["rounds"] if r is not None]
        assert all(r >= 0 for r in rounds)
        if rounds:
            s = metric["over_rounds"]
            assert s["min"] <= s["median"] <= s["max"], s
for goal in report["goals"]:
    assert goal["met"] == (goal["measured"]["median"] <= goal["at_most"])
PYTHON
    fi
done

if [ "$cpus" -ge 2 ]; then
    ends 0 watch --pauses 1,3 --rounds 1 --iterations 2
    if command -v taskset >/dev/null; then
        first=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')
        for q in handover watch; do
            taskset -c "$first" "$bench" "$q" --rounds 1 >"$dir/out" 2>"$dir/err"
            status=$?
            [ $status -eq 77 ] || fail "$q on one CPU ended with $status, not 77"
            grep -q "two CPUs" "$dir/err" || fail "$q on one CPU does not say why not"
        done
        taskset -c "$first" "$bench" fastpath --rounds 1 --iterations 10 >"$dir/out" 2>&1 ||
            fail "fastpath on one CPU: $(cat "$dir/out")"
    fi
fi

# Traces and peers: what is wrong is told before anything is printed.
if echo "$questions" | grep -q '^replay$'; then
    refused replay --peers nonsense
    refused replay --peers ''
    refused replay "$dir/nothing"
    printf '# waits\n2000\n\nabc\n' >"$dir/bad"
    refused replay "$dir/bad"
    grep -q "$dir/bad:4: " "$dir/err" || fail "a bad line is not told by its number: $(cat "$dir/err")"
    refused handover --peers futex
    refused handover "$dir/bad"
    if [ "$cpus" -ge 2 ]; then
        printf '2000\n90000\n7\n700000\n' | gzip >"$dir/waits.gz"
        ends 0 replay --rounds 2 --iterations 9 "$dir/waits.gz" --peers futex,eventfd
        grep -q '18 of the trace.s 4 waits' "$dir/out" || fail "replay does not say how much"
        grep -q ' sem_t ' "$dir/out" && fail "replay measured a peer that was not named"
        for peer in xsc_park xsc_wait futex eventfd; do
            grep -q "^  $peer " "$dir/out" || fail "replay does not show $peer"
        done
        gunzip <"$dir/waits.gz" | "$bench" replay - --rounds 1 --iterations 2 >"$dir/out" ||
            fail "replay does not read standard input"
    fi
fi

# A full disk, or a reader that has gone: not a success.
if [ -w /dev/full ]; then
    "$bench" fastpath --rounds 1 --iterations 10 >/dev/full 2>/dev/null &&
        fail "output that could not be written was a success"
    for how in --help -h --list --version; do
        "$bench" $how >/dev/full 2>"$dir/err" && fail "$how: a full disk was a success"
        [ "$(wc -l <"$dir/err")" = 1 ] || fail "$how: not one line about a full disk"
    done
fi
"$bench" --version >&- 2>/dev/null && fail "a closed standard output was a success"
exit $failed
