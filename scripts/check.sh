#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check.sh [--fast] [STAGE...]: build and test everything, stage by stage. --fast: what needs neither
# another CPU's compiler nor an emulator, under two minutes. The last line is "N passed, N failed,
# N skipped"; exit 1 when anything failed or nothing ran. A build counts as one test.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

stages='release clang asan-ubsan tsan other-port generic emulated guest'
hand_overs=200000 # of the stress test, where it is not the stress stage's 10^8

case ${1-} in
--fast) stages='release-fast asan-ubsan-fast'; shift ;;
-*) echo "usage: check.sh [--fast] [STAGE...]; stages: $stages" >&2; exit 2 ;;
esac
[ $# -eq 0 ] || stages=$*

jobs=$(nproc)
results=build/results
rm -rf "$results"
mkdir -p "$results"

# record passed|failed WHAT WHY: something that is no test of ctest's.
record() {
    printf '%s\t%s\t%s\t%s\n' "$stage" "$1" "$2" "$3" >>"$results/others"
}

# build PRESET [TARGET]: configure and build it; the outcome goes on record as a test.
build() {
    local preset=$1 target=${2:-all} log=$results/$stage.build-$1.log start=$SECONDS status=passed
    printf '   build %-12s' "$preset"
    if ! { cmake --preset "$preset" && cmake --build "build/$preset" -j "$jobs" --target "$target"; } >"$log" 2>&1; then
        status=failed
        echo
        grep -E -A 5 'error|Error' "$log" | head -n 40
    fi
    record $status "build $preset" "see $log"
    [ $status = passed ] || return 1
    echo "$((SECONDS - start)) s"
}

# tests PRESET LABEL...: run its tests that have one of these labels.
tests() {
    local preset=$1 labels xml=$results/$stage.$1.xml
    shift
    labels=$(IFS='|'; echo "$*")
    ctest --test-dir "build/$preset" -L "^($labels)\$" -j "$jobs" --output-on-failure \
        --no-tests=error --output-junit "$PWD/$xml" ${leave_out:+-E "$leave_out"} 2>&1 |
        grep -vE '^( *Start |Internal ctest|Test project|Label Time Summary|Total Test time|$)'
    if ! grep -q '<testcase' "$xml" 2>/dev/null; then
        record failed "tests $labels of $preset" 'ctest ran none'
    fi
}

run_stage() {
    local preset leave_out=
    export XSC_TEST_HANDOVERS=$hand_overs
    case $stage in
    release)
        unset XSC_TEST_HANDOVERS
        build release && tests release unit native stress style install model
        ;;
    release-fast)
        # They take a minute of the two, and seldom break alone.
        leave_out='^(style\.tidy|bench-cli)$'
        echo '   without style.tidy and bench-cli: see the full check'
        build release && tests release unit native style install
        ;;
    asan-ubsan-fast) build asan-ubsan unit-tests && tests asan-ubsan unit ;;
    clang | generic | other-port) build "$stage" && tests "$stage" unit native stress ;;
    asan-ubsan | tsan) build "$stage" && tests "$stage" unit native stress ;;
    emulated)
        build release && tests release emulated
        for preset in arm64 riscv64 armv7 s390x; do
            build $preset && tests $preset emulated
        done
        ;;
    guest) build release && tests release guest ;;
    *) echo "check.sh: no stage $stage" >&2; exit 2 ;;
    esac
}

for stage in $stages; do
    start=$SECONDS
    echo "== $stage"
    run_stage
    printf '%s\t%d\n' "$stage" $((SECONDS - start)) >>"$results/times"
    echo "== $stage: $((SECONDS - start)) s"
    echo
done

python3 scripts/summary.py "$results"
