#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run a program for another CPU under user-mode QEMU. See README.md for what that proves.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lab.sh disable=SC1091
. "$(dirname "$0")/lab.sh"

usage() {
    cat <<'T'
usage: run-user.sh [--old] [--cpu MODEL] [--env K=V] aarch64|riscv64|arm|s390x PROGRAM [ARG...]
  --old        bookworm's QEMU 7.2, in which WFET and Zawrs are illegal instructions
  --cpu MODEL  the emulated CPU, such as cortex-a57; "help" lists them; the default has all that
               this QEMU knows (but for riscv64 in 7.2, which is rv64)
  --env K=V    in the environment of PROGRAM, beside the caller's; repeatable
PROGRAM is a static binary; a dynamic one works where the cross C library is installed. Exit status:
that of PROGRAM (128 + n for signal n), 77 when QEMU is not available here, 2 bad arguments.
T
}

what='qemu-user'
cpu=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage; exit 0 ;;
    --old) what='qemu-user-old' ;;
    --cpu | --env)
        [ $# -ge 2 ] || usage_error "$1 needs a value (try --help)"
        case $1 in
        --cpu) cpu=$2 ;;
        --env)
            case $2 in [!=]*=*) ;; *) usage_error "--env wants NAME=VALUE, not '$2'" ;; esac
            export "${2?}"
            ;;
        esac
        shift
        ;;
    --) shift; break ;;
    -*) usage_error "unknown option $1 (try --help)" ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || usage_error "no CPU named (try --help)"
case $1 in
aarch64) sysroot=/usr/aarch64-linux-gnu ;;
riscv64) sysroot=/usr/riscv64-linux-gnu ;;
arm) sysroot=/usr/arm-linux-gnueabihf ;;
s390x) sysroot=/usr/s390x-linux-gnu ;;
*) usage_error "the CPU is aarch64, riscv64, arm or s390x, not '$1'" ;;
esac
arch=$1
shift
if [ -z "$cpu" ]; then
    cpu=max
    [ "$arch$what" != riscv64qemu-user-old ] || cpu=rv64
fi
if [ "$cpu" != help ]; then
    [ $# -gt 0 ] || usage_error "no program named (try --help)"
    elf_check "$1" "$arch"
fi
qemu=$(fetched "$what")/bin/qemu-$arch
if [ "$cpu" = help ]; then
    exec "$qemu" -cpu help
fi
[ ! -d "$sysroot" ] || export QEMU_LD_PREFIX="$sysroot"

# QEMU dies of the signal its program died of, so that a shell sees 128 + n already; not exec, so
# that any other caller sees that number too. No core files beside the tests.
ulimit -c 0
status=0
"$qemu" -cpu "$cpu" "$@" || status=$?
exit "$status"
