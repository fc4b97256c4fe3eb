#!/bin/bash
# SPDX-License-Identifier: MIT
#
# litmus/run.sh [PATTERN]: has herd7 judge the litmus tests of this folder, or those whose name matches
# PATTERN (an extended regular expression), under the vendors' models for arm64 and riscv64 and under
# C11's. Prints each verdict and what it says of the library, then counts. The folder's README says what
# the tests are.
#
# Exit 0: every verdict is the one in `expected`; 1: one is not, a test is missing on either side, or a
# protocol has no control; 77: no herd7, neither installed nor to be fetched.
# XSC_LITMUS names another folder of tests, for run_test.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=${XSC_LITMUS:-$here}
pattern=${1-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

herd=(herd7)
if ! command -v herd7 >/dev/null; then
    fetched=$("$here/../tests/emulated/fetch.sh" herd7) || {
        status=$?
        echo "litmus/run.sh: no herd7 (Debian unstable: apt-get install herdtools7)" >&2
        exit $status
    }
    herd=("$fetched/bin/herd7" -set-libdir "$fetched/root/usr/share/herdtools7/herd")
fi

# judge DIRECTORY NAMES [OPTION...]: its tests whose names match NAMES, too; their verdicts to a file, as in
# `expected`.
judge() {
    local directory=$1 names=$2 name file out
    local -a files=()
    out=$(mktemp "$work/XXXXXX")
    shift 2
    for file in "$folder/$directory"/*.litmus; do
        name=$directory/$(basename "$file" .litmus)
        [[ "$name" =~ $pattern && "$name" =~ $names ]] && files+=("$file")
    done
    [ ${#files[@]} = 0 ] || timeout 600 "${herd[@]}" "$@" "${files[@]}" >"$out" 2>&1
    sed -nE "s,^Observation ([^ ]+) ([A-Za-z]+) ([0-9]+) ([0-9]+)\$,$directory/\1\t\2\t\3\t\4,p" \
        "$out" >"$out.verdicts"
    grep -E '^(Warning|Fatal|Error)|: (Error|Fatal)' "$out" >"$out.troubles"
}

# Bytes and halves of a word make herd7 slow, where there are three such operations or more for ever.
judge a64 '^a64/[A-Z]+-([^m]|m[^i])' &
judge a64 -mixed- -variant mixed &
judge rv '' &
judge c11 '' -model rc11.cat & # C11 with what was repaired in it since
wait

cat "$work"/*.verdicts >"$work/all"
(cd "$folder" && find a64 rv c11 -name '*.litmus' | sed 's/\.litmus$//') | sort >"$work/files"
awk -F'\t' -v pattern="$pattern" -v all="$work/all" -v files="$work/files" '
    BEGIN {
        while ((getline <all) > 0) { verdict[$1] = $2; found[$1] = $3; states[$1] = $3 + $4 }
        while ((getline <files) > 0) there[$0] = 1
    }
    /^(#|$)/ || $1 !~ pattern { next }
    {
        known[$1] = 1
        if (!($1 in there)) { printf "NOT OK  %s: no such test, but in expected\n", $1; bad++; next }
        got = $1 in verdict ? verdict[$1] : "not judged"
        n++
        protocol = $1
        sub(/-.*/, "", protocol)
        tests[protocol]++
        if (($1 ~ /-control$/) != ($2 == "Sometimes")) {
            printf "NOT OK  %s: a control is what happens sometimes, and nothing else is\n", $1; bad++
        }
        if (got != $2) {
            printf "NOT OK  %-38s %-9s %s (expected: %s)\n", $1, got, $3, $2; bad++
        } else {
            printf "ok      %-38s %-9s %s\n", $1, got, $3
            if (got == "Sometimes") { controls++; caught[protocol]++ } else never++
        }
    }
    END {
        for (t in there) if (t ~ pattern && !(t in known)) { printf "NOT OK  %s: not in expected\n", t; bad++ }
        if (pattern == "") for (p in tests) if (!caught[p]) { printf "NOT OK  %s: no control\n", p; bad++ }
        if (!n) { print "NOT OK  no test was judged"; bad++ }
        for (p in tests) protocols++
        printf "# %d tests of %d protocols and models: %d never, %d controls caught, %d not as expected\n",
            n, protocols, never, controls, bad
        exit bad != 0
    }' "$folder/expected"
status=$?
cat "$work"/*.troubles >"$work/troubles"
if [ -s "$work/troubles" ]; then
    cat "$work/troubles"
    status=1
fi
exit $status
