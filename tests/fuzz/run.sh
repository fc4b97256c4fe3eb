#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh TARGET CORPUS RUNS: a fuzz target from its corpus on, RUNS times, with the seed 1 or
# XSC_TEST_FUZZ_SEED. What is found in between is not kept, but an input that stops the target is:
# under build/fuzz-findings, and the last lines say how to run it again. With it mended it belongs
# into the corpus.
set -u
target=$1 corpus=$2 runs=$3
findings=${XSC_FUZZ_FINDINGS:-build/fuzz-findings}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/new" "$findings" "$corpus"

# Standard error is the target's complaints, a million of them; the fuzzer keeps its own.
if "$target" -runs="$runs" -seed="${XSC_TEST_FUZZ_SEED:-1}" -max_len=600 -timeout=$((20 * ${XSC_TEST_TIMEOUT_FACTOR:-1})) \
    -close_fd_mask=2 -print_final_stats=1 -artifact_prefix="$findings/" \
    "$work/new" "$corpus" >"$work/out" 2>"$work/log"; then
    grep -E 'number_of_executed_units|peak_rss' "$work/log"
    grep -oE 'DONE +cov: [0-9]+ ft: [0-9]+' "$work/log"
    exit 0
fi
tail -n 40 "$work/out"
grep -vE '^#[0-9]+|^ *#[0-9]+ .* in fuzzer::|^0x' "$work/log" | tail -n 60
echo "again: $target INPUT; its name is above, after 'Test unit written to'"
exit 1
