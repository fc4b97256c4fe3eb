#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run a static arm64 program on a booted Linux with two emulated CPUs whose WFE really blocks. See
# README.md for what that proves.
set -euo pipefail
GUEST_DIR=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$GUEST_DIR/../emulated/lab.sh"
# shellcheck source-path=SCRIPTDIR source=guest.sh disable=SC1091
. "$GUEST_DIR/guest.sh"

usage() {
    cat <<T
usage: arm64.sh [OPTION...] PROGRAM [ARG...]
  --no-evtstrm     boot without the event stream, which else ends every WFE after 50 us or so
  --cpu MODEL      the emulated CPU, such as cortex-a57; the default, max, has WFET
$GUEST_OPTIONS
T
}

cpu=max
append="console=ttyAMA0 quiet rdinit=/init panic=-1"
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage; exit 0 ;;
    --no-evtstrm) append="$append clocksource.arm_arch_timer.evtstrm=0" ;;
    --) shift; break ;;
    -*)
        [ $# -ge 2 ] || usage_error "$1 needs a value (try --help)"
        case $1 in
        --cpu) cpu=$2 ;;
        *) guest_option "$1" "$2" || usage_error "unknown option $1 (try --help)" ;;
        esac
        shift
        ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || usage_error "no program named (try --help)"
elf_check "$1" aarch64
if [ -z "${CC_ARM64:-}" ]; then
    if [ "$(uname -m)" = aarch64 ]; then CC_ARM64=gcc; else CC_ARM64=aarch64-linux-gnu-gcc; fi
fi
need "$CC_ARM64" gcc-aarch64-linux-gnu libc6-dev-arm64-cross
need cpio cpio
qemu=$(fetched arm64-guest)

work=
guest_work
guest_initrd "$CC_ARM64" ttyAMA1 "$@"
guest_run "$qemu/lib/ld.so" --library-path "$qemu/lib" "$qemu/bin/qemu-system-aarch64" \
    -accel tcg,thread=multi -M virt -cpu "$cpu" -smp 2 -m 512 -nodefaults -display none \
    -monitor none -no-reboot -serial "file:$work/console" -serial "file:$work/out" \
    -kernel "$qemu/vmlinuz" -initrd "$work/initrd" -append "$append"
