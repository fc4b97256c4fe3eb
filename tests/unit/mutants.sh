#!/bin/bash
# SPDX-License-Identifier: MIT
#
# mutants.sh [--stale | PATTERN]: breaks the core, one line at a time, and says which unit tests notice.
#
# The breakages are in mutants.txt; PATTERN takes only those lines that contain it. Works in a
# copy; needs gcc, make and cmocka, and an hour or more for all of them. Exit status 1: one survived,
# or no longer applies. A breakage that no test notices is a test that is missing.
#
# --stale builds nothing: it only says which breakages no longer change their file, or change it in
# no way that another does not (make check, style.mutants).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
pattern=${1-}
limit_s=$((120 * ${XSC_TEST_TIMEOUT_FACTOR:-1})) # of one unit test; a mutation may hang it
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

files=() expressions=()
while IFS=$'\t' read -r file expression; do
    case $file in '' | '#'*) continue ;; esac
    files+=("$file") expressions+=("$expression")
done <"$here/mutants.txt"

stale=0

# apply FILE EXPRESSION: puts FILE, broken, into $work/broken. 1, and counted as stale, where the
# expression changes nothing.
apply() {
    local why=
    if [ ! -f "$1" ]; then
        why='there is no such file'
    elif ! sed "$2" "$1" >"$work/broken"; then
        why='no sed expression'
    elif cmp -s "$1" "$work/broken"; then
        why='it changes nothing'
    fi
    if [ -n "$why" ]; then
        echo "STALE     $1  $2 ($why)"
        stale=$((stale + 1))
        return 1
    fi
}

if [ "$pattern" = --stale ]; then
    cd "$root" || exit 1
    declare -A known
    for i in "${!files[@]}"; do
        apply "${files[i]}" "${expressions[i]}" || continue
        # One that does the same to its file as another proves nothing more.
        sum="${files[i]} $(cksum <"$work/broken")"
        if [ -n "${known[$sum]-}" ]; then
            echo "TWICE     ${files[i]}  ${expressions[i]} (as ${known[$sum]})"
            stale=$((stale + 1))
        fi
        known[$sum]=${expressions[i]}
    done
    echo "${#files[@]} mutations, $stale of them stale"
    [ $stale = 0 ] && [ ${#files[@]} != 0 ]
    exit
fi

mkdir -p "$work/tests"
cp -r "$root"/{core,mech,arch,include,user} "$work" && cp -r "$here" "$work/tests/unit"
cd "$work" || exit 1

cat >Makefile <<'MAKE'
CFLAGS := -std=c11 -O1 -w -I. -Iinclude
NAMES := $(filter-out detect interleavings policy_hindsight policy_learning policy_threads,$(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c)))
DETECT := X86 ARM64 ARM RISCV64
HEADERS := $(wildcard core/*.h mech/*.h arch/*.h arch/*/*.h include/xsc/*.h tests/unit/*.h user/*.[ch])
CORE := $(patsubst %.c,%.o,$(wildcard core/*.c mech/*.c))
FAKES := tests/unit/fake_port.o tests/unit/fake_mech.o
all: $(NAMES:%=unit-%) $(DETECT:%=unit-detect-%)
%.o: %.c $(HEADERS)
	$(CC) $(CFLAGS) -c -o $@ $<
.PRECIOUS: %.o
unit-detect-%: tests/unit/test_detect.c tests/unit/fake_port.o $(wildcard mech/*.c) $(HEADERS)
	$(CC) $(CFLAGS) -DFAKE_$* -o $@ $< tests/unit/fake_port.o -lcmocka
unit-%: tests/unit/test_%.o $(FAKES) $(CORE)
	$(CC) -o $@ $^ -lcmocka
MAKE

# Prints the tests that failed; those of a program that crashed or hung as its own name.
red() {
    local test
    for test in unit-*; do
        case $test:${file-core/policy.c} in # these take seconds: only where it is about them
            unit-policy_bound:core/p[lo]* | unit-policy_bound:core/costs.h) ;;
            unit-wait_site:core/p[lo]* | unit-wait_site:core/costs.h | unit-wait_site:user/[wsc]*) ;;
            unit-policy_bound:* | unit-wait_site:*) continue ;;
        esac
        timeout "$limit_s" "./$test" >out 2>&1 && continue
        grep -q '^\[  FAILED  \] [a-z]' out || { echo "$test(crash or hang)"; continue; }
        sed -n 's/^\[  FAILED  \] \([a-z][a-z_0-9]*\)$/\1/p' out
    done | sort -u
}

make -s -j"$(nproc)" all || { echo "mutants.sh: the unbroken tests do not build"; exit 1; }
before=$(red)
[ -z "$before" ] || { echo "mutants.sh: fail unbroken: $before"; exit 1; }

killed=0 survived=0
for i in "${!files[@]}"; do
    file=${files[i]} expression=${expressions[i]}
    [[ "$file $expression" == *"$pattern"* ]] || continue
    apply "$file" "$expression" || continue
    cp "$file" original
    cp broken "$file"
    if ! make -s -j"$(nproc)" all >out 2>&1; then
        echo "STALE     $file  $expression (does not compile: $(grep -m 1 error out))"
        stale=$((stale + 1))
    else
        mapfile -t who < <(red)
        if [ ${#who[@]} = 0 ]; then
            echo "SURVIVED  $file  $expression"
            survived=$((survived + 1))
        else
            echo "killed    $file  $expression"
            echo "          by ${#who[@]}: ${who[*]:0:4}"
            killed=$((killed + 1))
        fi
    fi
    cp original "$file"
done

echo "$killed killed, $survived survived, $stale no longer apply"
[ $((survived + stale)) = 0 ]
