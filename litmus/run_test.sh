#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run_test.sh: litmus/run.sh fails where it must, on copies of a few tests with something broken.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# folder: a folder of three tests, as they are.
folder() {
    rm -rf "$work/litmus"
    mkdir -p "$work"/litmus/{a64,rv,c11}
    cp "$here"/rv/MUTEX-unlock-{gcc12,old-control}.litmus "$work/litmus/rv"
    cp "$here"/c11/DOORBELL-close.litmus "$work/litmus/c11"
    grep -E $'^(rv/MUTEX-unlock-(gcc12|old-control)|c11/DOORBELL-close)\t' "$here/expected" >"$work/litmus/expected"
}

# verdict STATUS REGEX WHAT [PATTERN]
verdict() {
    local status=0
    XSC_LITMUS=$work/litmus "$here/run.sh" "${4-MUTEX|DOORBELL}" >"$work/out" 2>&1 || status=$?
    if [ $status = 77 ]; then
        cat "$work/out"
        exit 77
    fi
    if [ $status != "$1" ] || ! grep -qE "$2" "$work/out"; then
        echo "NOT OK  $3: status $status"
        cat "$work/out"
        failed=1
    else
        echo "ok      $3"
    fi
}

folder
verdict 0 '^# 3 tests .* 2 never, 1 controls caught, 0 not' 'three tests as they are'
sed -i 's/fence rw,w/          /' "$work/litmus/rv/MUTEX-unlock-gcc12.litmus"
sed -i 's/lr.w.aq x5,0(x21)/lr.w x5,0(x21)   /' "$work/litmus/rv/MUTEX-unlock-gcc12.litmus"
verdict 1 '^NOT OK  rv/MUTEX-unlock-gcc12 .*Sometimes' 'an order taken away is noticed'
folder
sed -i '/thread_fence/d' "$work/litmus/c11/DOORBELL-close.litmus"
verdict 1 '^NOT OK  c11/DOORBELL-close .*Sometimes' 'fences taken away are noticed'
folder
rm "$work/litmus/c11/DOORBELL-close.litmus"
verdict 1 'NOT OK .*no such test' 'a test that is missing'
folder
sed -i '/DOORBELL/d' "$work/litmus/expected"
verdict 1 'NOT OK .*not in expected' 'a test that nothing is expected of'
folder
echo 'nonsense' >"$work/litmus/c11/DOORBELL-close.litmus"
verdict 1 'NOT OK .*not judged' 'a test that herd7 does not understand'
folder
sed -i '/old-control/d' "$work/litmus/expected"
rm "$work/litmus/rv/MUTEX-unlock-old-control.litmus"
verdict 1 'NOT OK  rv/MUTEX: no control' 'a protocol without a control' ''
folder
verdict 1 'no test was judged' 'a pattern that matches nothing' 'nothing-like-it'
exit $failed
