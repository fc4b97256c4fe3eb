#!/bin/bash
# SPDX-License-Identifier: MIT
#
# policy_sim_test.sh XSC-WAIT-SIM JSON [PROBE]: what the tool reads, refuses and prints. JSON is 0 where
# it was built without.
set -uo pipefail
sim=$1
json=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

bad() {
    echo "$*"
    failed=1
}

# refuses TEXT ARGUMENT...: exit 2, nothing on stdout, and one line with TEXT on stderr.
refuses() {
    local text=$1 status
    shift
    "$sim" "$@" >out 2>err </dev/null
    status=$?
    [ $status = 2 ] || bad "exit $status, not 2: $*"
    [ ! -s out ] || bad "printed something: $*"
    [ "$(wc -l <err)" = 1 ] || bad "not one line on stderr: $*: $(cat err)"
    grep -qF -- "$text" err || bad "stderr lacks \"$text\": $*: $(cat err)"
}

# accepts ARGUMENT...: exit 0, nothing on stderr.
accepts() {
    "$sim" "$@" >out 2>err || bad "exit $?: $*: $(cat err)"
    [ ! -s err ] || bad "stderr: $*: $(cat err)"
}

printf '# a comment\n\n60000\n 61000 \n59000\r\n' >good
printf '60000\n12x\n' >letters
printf '60000\n-5\n' >negative
printf '60000\n\n1.5\n' >fraction
printf '99999999999999999999\n' >huge
printf '# nothing\n' >empty
printf '60000\n%5000d\n' 7 >long
gzip -c good >good.gz
head -c 30 good.gz >cut.gz
seq 100000 | gzip >many.gz
head -c 9000 many.gz >cut2.gz
{ head -c -8 many.gz && printf '\1\2\3\4' && tail -c 4 many.gz; } >checksum.gz

refuses 'letters:2: not a number' letters
refuses 'negative:2: not a number' negative
refuses 'fraction:3: not a number' good fraction
refuses 'huge:1: longer than' huge
refuses 'empty:1: no waits' empty
refuses 'long:2: a line too long' long
refuses 'cut-off gzip' cut.gz
refuses 'cut-off gzip' cut2.gz
refuses 'damaged or cut-off gzip' checksum.gz
refuses 'No such file' nowhere
refuses 'no traces'
refuses 'is not latency' --prefer speed good
refuses 'give no --prefer' --table --costs metal good
refuses 'give no --prefer' --prefer cpu --table good
: >nothing
refuses 'nothing:1: no waits' nothing
refuses 'unknown option "--sped"' --sped good
refuses 'unknown option "--pref"' --pref cpu good
refuses '--table takes no value' --table=yes good
refuses '--costs needs a value' good --costs
refuses '--costs needs a value' --costs= good
refuses '--costs needs a value' --costs --table good
refuses '--table is given twice' --table --table good
refuses 'No such file' -- --table

printf 'park_cpu_ns 13000\npark_latency_ns 40000\n' >costs
printf '# mine\n\npark_cpu_ns 13000 5\n' >costs_line
printf 'park_cpu_ns 13000\nparc_latency_ns 1\n' >costs_key
printf 'park_cpu_ns -1\n' >costs_number
printf 'park_cpu_ns 100000001\n' >costs_range
printf 'park_cpu_ns 13000\n' >costs_missing
printf 'park_cpu_ns 1\npark_cpu_ns 2\n' >costs_twice
refuses 'costs_line:3: not "key ns"' --costs costs_line good
refuses 'costs_key:2: unknown key' --costs costs_key good
refuses 'costs_number:1: not a number' --costs costs_number good
refuses 'costs_range:1: not a number' --costs costs_range good
refuses 'park_cpu_ns and park_latency_ns' --costs costs_missing good
refuses 'costs_twice:2: said twice' --costs costs_twice good
refuses 'No such file' --costs nowhere good
for spec in nothing fixed:x fixed:-1 fixed:1:2 exponential:0 fixed:1:n0 fixed:1:n99999999 fixed+1; do
    refuses "--generate $spec" --generate "$spec"
done

# All ways to read the same waits say the same, in lines that fit a page.
accepts --table good
awk 'length($0) > 100 { exit 1 }' out || bad "lines of more than 100 columns: $(cat out)"
accepts good
awk 'length($0) > 100 { exit 1 }' out || bad "lines of more than 100 columns: $(cat out)"
sed 's/good//' out >expected
accepts good.gz
sed 's/good.gz/   /' out | tr -s ' ' >gz
tr -s ' ' <expected | diff - gz >/dev/null || bad 'gzip reads otherwise than plain'
accepts --costs costs good
sed 's/good//' out | cmp -s - expected || bad 'a costs file with the built-in costs differs'
"$sim" - <good.gz >out || bad 'standard input'
grep -q '^standard input  *3 ' out || bad 'standard input is named otherwise'

# Known by hand: 3 waits of 60, 61 and 59 us; parking costs 13 + 40 each, watching 60 in the mean.
accepts --table good
accepts good
grep -qE '^good +3 .* park ' out || bad "parking is not the best fixed policy: $(cat out)"
grep -qE ' 60000 +53000 ' out || bad "watching is not 60000 and parking 53000: $(cat out)"
accepts --generate fixed:500000:n3 --prefer cpu
grep -qE '^fixed:500000:n3 +3 +[0-9]+ +13000 ' out || bad "one nap is not 13000: $(cat out)"
accepts --generate heavy:n100:s7
mv out seed7
accepts --generate heavy:n100:s7
cmp -s out seed7 || bad 'the same seed makes another trace'
accepts --generate heavy:n100:s8
cmp -s <(tail -n +3 out) <(tail -n +3 seed7) && bad 'another seed makes the same trace'

if [ "$json" = 0 ]; then
    refuses 'built without' --json good
    echo '{}' >probe.json
    refuses 'built without' --costs probe.json good
else
    # The probe's JSON is a costs file as well.
    echo '{"format": 1, "machine": {"leaving_the_cpu": {"park_cpu_ns": 13000, "park_latency_ns": 40000,
        "nap_cpu_ns": 13000, "nap_late_ns": 40000, "nap_jitter_ns": 0, "latency_weight": 1}}}' >probe.json
    accepts --costs probe.json good
    sed 's/good//' out | cmp -s - expected || bad 'the JSON of the built-in costs differs from them'
    echo '{"machine": {"leaving_the_cpu": {"park_cpu_ns": 13000, "park_latency_ns": 40001}}}' >other.json
    accepts --costs other.json good
    sed 's/good//' out | cmp -s - expected && bad 'other JSON costs make no difference'
    echo '{"machine": {"leaving_the_cpu": {"park_cpu_ns": 13000}}}' >missing.json
    echo '{"machine": {"leaving_the_cpu": {"park_cpu_ns": "13000", "park_latency_ns": 1}}}' >string.json
    echo '{"machine": {"leaving_the_cpu": {"park_cpu_ns": -1, "park_latency_ns": 1}}}' >negative.json
    echo '{"tool": "xsc-wait-sim"}' >foreign.json
    echo '{"leaving_the_cpu": ' >cut.json
    refuses 'park_cpu_ns and park_latency_ns' --costs missing.json good
    refuses 'not a number of ns' --costs string.json good
    refuses 'not a number of ns' --costs negative.json good
    refuses 'not a report of xsc-wait-probe' --costs foreign.json good
    refuses 'not JSON' --costs cut.json good
    if [ -n "${3-}" ]; then
        "$3" --quiet --iterations 16 --mechanism generic --json=here.json >/dev/null 2>&1
        accepts --costs here.json good
    fi
    accepts --json good good.gz
    python3 - <<'PYTHON' || bad "JSON: $(cat out)"
import json, math
r = json.load(open("out"))
assert list(r) == ["traces", "geomean"]
assert [t["name"] for t in r["traces"]] == ["good", "good.gz"]
for t in r["traces"]:
    assert list(t) == ["name", "n", "ours", "hindsight", "best_fixed", "fixed"]
    assert t["n"] == 3 and t["best_fixed"] == min(t["fixed"].values()) == 53000
    assert t["fixed"]["watch"] == 60000 and t["hindsight"] < t["best_fixed"]
ratio = r["traces"][0]["ours"] / r["traces"][0]["hindsight"]
assert math.isclose(r["geomean"]["vs_hindsight"], ratio)
assert math.isclose(r["geomean"]["vs_best_fixed"], r["traces"][0]["ours"] / 53000)
PYTHON
fi
accepts --help
cp out help
accepts -h
cmp -s out help || bad '-h is not --help'
accepts --version
grep -qE '^xsc-wait-sim [0-9]+\.[0-9]+\.[0-9]+$' out || bad "version: $(cat out)"
cp good ./--table
accepts --prefer=cpu -- --table
for how in --help --version good; do
    "$sim" $how >/dev/full 2>err
    [ $? = 1 ] || bad "$how: a full disk was a success"
    [ "$(wc -l <err)" = 1 ] || bad "$how: not one line about a full disk: $(cat err)"
    "$sim" $how >&- 2>err
    [ $? = 1 ] || bad "$how: a closed standard output was a success"
done
exit $failed
