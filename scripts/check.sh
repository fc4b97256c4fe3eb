#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check.sh [--fast | --long] [STAGE...]: build and test everything, stage by stage. --fast: what needs
# neither another CPU's compiler nor an emulator, under two minutes. --long: what takes hours and finds
# the more the longer it runs: chaos, fuzzing, every mutation of the core, and the largest models. The
# last line is "N passed, N failed, N skipped"; exit 1 when anything failed or nothing ran. A build counts
# as one test.
#
# XSC_TEST_TIMEOUT_FACTOR=N makes all time limits N times as long, for a slow or a loaded machine.
# Of --long: XSC_LONG_CHAOS operations (10^9), XSC_LONG_FUZZ runs of each fuzz target (2 * 10^6), and
# XSC_LONG_SEED (the clock's).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

stages='release clang asan-ubsan tsan other-port generic fuzz emulated guest'
hand_overs=200000 # of the stress test, where it is not the stress stage's 10^8
chaos=500000      # operations of chaos, where it is not the release stage's own number

case ${1-} in
--fast) stages='release-fast asan-ubsan-fast'; shift ;;
--long) stages='long-chaos long-fuzz long-mutants long-models'; shift ;;
-*) echo "usage: check.sh [--fast | --long] [STAGE...]; stages: $stages" >&2; exit 2 ;;
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
    if ! { cmake --preset "$preset" ${XSC_TEST_TIMEOUT_FACTOR:+-DXSC_TEST_TIMEOUT_FACTOR="$XSC_TEST_TIMEOUT_FACTOR"} &&
        cmake --build "build/$preset" -j "$jobs" --target "$target"; } >"$log" 2>&1; then
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

# long NAME COMMAND...: a test that ctest has no limit for; its last line goes on record.
long() {
    local name=$1 log=$results/$stage.$1.log status=passed
    shift
    "$@" 2>&1 | tee "$log"
    case ${PIPESTATUS[0]} in 0) ;; 77) status=skipped ;; *) status=failed ;; esac
    record $status "$name" "$(tail -n 1 "$log" | tr '\t' ' ')"
}

run_stage() {
    local preset target leave_out=
    export XSC_TEST_HANDOVERS=$hand_overs XSC_TEST_CHAOS=$chaos
    case $stage in
    release)
        unset XSC_TEST_HANDOVERS XSC_TEST_CHAOS
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
    fuzz) build fuzz fuzz-tests && tests fuzz fuzz ;;
    long-chaos)
        build release chaos && long chaos build/release/tests/chaos/chaos \
            --ops "${XSC_LONG_CHAOS:-1000000000}" --rounds 100 --seed "${XSC_LONG_SEED:-$(date +%s)}"
        ;;
    long-fuzz)
        export XSC_TEST_FUZZ_SEED=${XSC_LONG_SEED:-$(date +%s)}
        build fuzz fuzz-tests || return
        for target in build/fuzz/tests/fuzz/fuzz-*; do
            [ -x "$target" ] || continue
            long "$(basename "$target")" tests/fuzz/run.sh "$target" \
                "tests/fuzz/corpus/${target##*/fuzz-}" "${XSC_LONG_FUZZ:-2000000}"
        done
        ;;
    long-mutants) long mutants tests/unit/mutants.sh ;;
    long-models) long models env XSC_MODELS=long models/run.sh ;;
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
