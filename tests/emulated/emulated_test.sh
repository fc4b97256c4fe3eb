#!/bin/bash
# SPDX-License-Identifier: MIT
#
# That run-user.sh and fetch.sh keep their promises, with facts.c on each CPU. Some seconds; exit 77
# when an emulator or a cross compiler is not available here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lab.sh disable=SC1091
. "$here/lab.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
run=$here/run-user.sh

need "${CC_ARM64:=aarch64-linux-gnu-gcc}" gcc-aarch64-linux-gnu libc6-dev-arm64-cross
need "${CC_RISCV64:=riscv64-linux-gnu-gcc}" gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
need "${CC_S390X:=s390x-linux-gnu-gcc}" gcc-s390x-linux-gnu libc6-dev-s390x-cross
need "${CC_ARM:=arm-linux-gnueabihf-gcc}" gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
"$CC_ARM64" -std=c11 -O2 -static -pthread -o "$work/aarch64" "$here/facts.c"
"$CC_RISCV64" -std=c11 -O2 -static -pthread -o "$work/riscv64" "$here/facts.c"
"$CC_ARM" -std=c11 -O2 -static -pthread -o "$work/arm" "$here/facts.c"
"$CC_S390X" -std=c11 -O2 -static -pthread -o "$work/s390x" "$here/facts.c"

for arch in aarch64 riscv64 arm s390x; do
    check "$arch: arguments and environment" 0 $'a b\n"c\nx y' \
        "$run" --env 'FACTS=x y' "$arch" "$work/$arch" say 'a b' '"c'
    check "$arch: exit status" 7 '' "$run" "$arch" "$work/$arch" exit 7
    check "$arch: illegal instruction" 132 '' "$run" "$arch" "$work/$arch" illegal
    check "$arch: abort" 134 '' "$run" "$arch" "$work/$arch" raise 6
    check "$arch: waits and wake-ups" 0 '~other CPU stores +seen|two CPUs' \
        "$run" "$arch" "$work/$arch"
done
check 'aarch64: old QEMU has no WFET' 0 '~wfet .*signal 4' "$run" --old aarch64 "$work/aarch64"
check 'riscv64: old QEMU has no Zawrs' 0 '~wrs.sto .*signal 4' "$run" --old riscv64 "$work/riscv64"
check 'riscv64: old QEMU has no hwprobe' 0 '~no hwprobe' "$run" --old riscv64 "$work/riscv64"
check 'arm: old QEMU' 0 '~ldrex; wfe' "$run" --old arm "$work/arm"
check 'aarch64: a CPU without WFET' 0 '~wfet .*signal 4' \
    "$run" --cpu cortex-a57 aarch64 "$work/aarch64"

check 'the wrong CPU is refused' 2 '' "$run" arm "$work/riscv64"
check 'a missing program is refused' 2 '' "$run" arm "$work/nothing"
check 'no program is refused' 2 '' "$run" arm
check 'an unknown CPU is refused' 2 '' "$run" m68k "$work/arm"
check 'an unknown option is refused' 2 '' "$run" --new arm "$work/arm"
check 'fetching nothing is refused' 2 '' "$here/fetch.sh"
check 'fetching the unknown is refused' 2 '' "$here/fetch.sh" moon
check 'a mirror out of reach is a skip' 77 '' \
    env XSC_CACHE="$work/cache" XSC_DEBIAN_MIRROR="file:$work/none" "$here/fetch.sh" qemu-user
checks_end
