#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Build the kernel module against Debian's headers, and run a static program on a booted Debian
# kernel of the same version that finds the modules in /: its two CPUs are QEMU's. See README.md.
set -euo pipefail
GUEST_DIR=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$GUEST_DIR/../emulated/lab.sh"
# shellcheck source-path=SCRIPTDIR source=guest.sh disable=SC1091
. "$GUEST_DIR/guest.sh"

usage() {
    cat <<T
usage: kernel.sh amd64|arm64 [OPTION...] SOURCE [ARG...]
SOURCE is a C file, compiled for the guest.
  --append TEXT    more of the kernel's command line; repeatable
  --device D       a device more, as QEMU names it; repeatable
  --also FILE      another C file, a program in / of the guest, with the library in it
  --library FILE   a source of that library; repeatable
$GUEST_OPTIONS
T
}

append="quiet rdinit=/init panic=-1 panic_on_oops=1"
devices=()
also=
library=()
case ${1-} in
amd64 | arm64) arch=$1 ;;
-h | --help) usage; exit 0 ;;
*) usage_error "the guests are amd64 and arm64 (try --help)" ;;
esac
shift
while [ $# -gt 0 ]; do
    case $1 in
    --) shift; break ;;
    -*)
        [ $# -ge 2 ] || usage_error "$1 needs a value (try --help)"
        case $1 in
        --append) append="$append $2" ;;
        --device) devices+=(-device "$2") ;;
        --also) also=$2 ;;
        --library) library+=("$2") ;;
        *) guest_option "$1" "$2" || usage_error "unknown option $1 (try --help)" ;;
        esac
        shift
        ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || usage_error "no program named (try --help)"
[ -f "$1" ] || usage_error "$1: no such file"

[ "$(uname -m)" = x86_64 ] || skip "Debian's tools for building modules are fetched for amd64 only"
need make make
need cpio cpio
cross=
machine=(-M q35 -cpu max)
tty=ttyS
if [ "$arch" = arm64 ]; then
    cross=aarch64-linux-gnu-
    # A cheaper hash for pointer authentication: QEMU's default takes half of the boot.
    machine=(-M virt -cpu "max,pauth-impdef=on")
    tty=ttyAMA
fi
need "${cross}gcc" "gcc${cross:+-aarch64-linux-gnu libc6-dev-arm64-cross}"
kernel=$(fetched kernel)
if [ "$arch" = arm64 ]; then
    qemu=$(fetched arm64-guest)
    binary="qemu-system-aarch64"
else
    qemu=$(fetched qemu-x86)
    binary="qemu-system-x86_64"
    machine+=(-L "$qemu/share")
fi

work=
guest_work
# W=1, and any warning is an error.
make -s -C "$GUEST_DIR/../../kernel" DEBUG=1 W=1 BUILD="$work/modules" KDIR="$(realpath "$kernel/build-$arch")" \
    ARCH="$([ "$arch" = arm64 ] && echo arm64 || echo x86_64)" CROSS_COMPILE="$cross" \
    KCFLAGS=-Werror >"$work/make" 2>&1 || { cat "$work/make" >&2; die "the module does not build"; }
if grep -i 'warning:' "$work/make" >&2; then die "the module builds with warnings"; fi
"${cross}strip" --strip-debug "$work"/modules/*.ko
for module in "$work"/modules/*.ko; do
    guest_files+=("$module")
done
if [ -n "$also" ]; then
    "${cross}gcc" -std=c11 -O1 -Wall -Wextra -static -pthread -I"$GUEST_DIR/../.." \
        -I"$GUEST_DIR/../../include" -o "$work/$(basename "$also" .c)" "$also" "${library[@]}"
    guest_files+=("$work/$(basename "$also" .c)")
fi
program=$work/$(basename "$1" .c)
"${cross}gcc" -std=c11 -O2 -Wall -Wextra -static -pthread -I"$GUEST_DIR/../.." -o "$program" "$1"
shift
guest_initrd "${cross}gcc" "${tty}1" "$program" "$@"
guest_run "$qemu/lib/ld.so" --library-path "$qemu/lib" "$qemu/bin/$binary" \
    -accel tcg,thread=multi "${machine[@]}" -smp 2 -m 512 -nodefaults -display none \
    -monitor none -no-reboot -serial "file:$work/console" -serial "file:$work/out" \
    "${devices[@]}" -kernel "$kernel/vmlinuz-$arch" -initrd "$work/initrd" \
    -append "console=${tty}0 $append"
