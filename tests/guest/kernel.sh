#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Build the kernel module against Debian's headers, and run a static program on a booted Debian
# kernel of the same version that finds the modules in /: its two CPUs are QEMU's. See README.md.
# "amd64" and "arm64" are bookworm's 6.1, "trixie/..." is 6.12.
set -euo pipefail
GUEST_DIR=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$GUEST_DIR/../emulated/lab.sh"
# shellcheck source-path=SCRIPTDIR source=guest.sh disable=SC1091
. "$GUEST_DIR/guest.sh"
# shellcheck source-path=SCRIPTDIR source=kernel_lib.sh disable=SC1091
. "$GUEST_DIR/kernel_lib.sh"

usage() {
    cat <<T
usage: kernel.sh KERNEL [OPTION...] SOURCE [ARG...]
KERNEL is one of: $KERNELS. SOURCE is a C file, compiled for the guest.
  --build DIR      keep the modules in DIR, and build what has changed only
  --append TEXT    more of the kernel's command line; repeatable
  --device D       a device more, as QEMU names it; repeatable
  --ivshmem S      an ivshmem-doorbell, whose server listens at the socket S
  --also FILE      another C file, a program in / of the guest, with the library in it
  --library FILE   a source of that library; repeatable
$GUEST_OPTIONS
T
}

append="quiet rdinit=/init panic=-1 panic_on_oops=1"
devices=()
build=
also=
library=()
case ${1-} in
-h | --help) usage; exit 0 ;;
esac
name=${1-}
[ $# -eq 0 ] || shift
while [ $# -gt 0 ]; do
    case $1 in
    --) shift; break ;;
    -*)
        [ $# -ge 2 ] || usage_error "$1 needs a value (try --help)"
        case $1 in
        --append) append="$append $2" ;;
        --build) build=$2 ;;
        --device) devices+=(-device "$2") ;;
        --ivshmem)
            devices+=(-chardev "socket,path=$2,id=ivshmem")
            devices+=(-device "ivshmem-doorbell,chardev=ivshmem,vectors=1")
            ;;
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

kernel_open "$name" || usage_error "no kernel $name; there are: $KERNELS (try --help)"
need cpio cpio
work=
guest_work
console=ttyS0
tty=ttyS1
second=(-serial "file:$work/out")
case $arch in
amd64)
    qemu=$(fetched qemu-x86)
    binary="qemu-system-x86_64"
    machine=(-M q35 -cpu max -L "$qemu/share")
    ;;
arm64)
    qemu=$(fetched arm64-guest)
    binary="qemu-system-aarch64"
    # A cheaper hash for pointer authentication: QEMU's default takes half of the boot.
    machine=(-M virt -cpu "max,pauth-impdef=on")
    console=ttyAMA0
    tty=ttyAMA1
    ;;
riscv64)
    qemu=$(fetched qemu-riscv64)
    binary="qemu-system-riscv64"
    # Without the advanced interrupt architecture there are no MSIs.
    machine=(-M "virt,aia=aplic-imsic" -cpu rv64 -bios "$qemu/share/fw_dynamic.bin")
    # One serial port, and room for more on the bus only. Which is found first varies.
    console=uart8250,mmio,0x10000000
    tty=pci
    second=(-chardev "file,id=out,path=$work/out" -device "pci-serial,chardev=out")
    ;;
esac

: "${build:=$work/modules}"
kernel_build "$build" || die "the module does not build"
mkdir "$work/stripped"
for module in "$build"/*.ko; do
    "${cross}strip" --strip-debug -o "$work/stripped/${module##*/}" "$module"
    guest_files+=("$work/stripped/${module##*/}")
done
if [ -n "$also" ]; then
    "${cross}gcc" -std=c11 -O1 -Wall -Wextra -static -pthread -I"$GUEST_DIR/../.." \
        -I"$GUEST_DIR/../../include" -o "$work/$(basename "$also" .c)" "$also" "${library[@]}"
    guest_files+=("$work/$(basename "$also" .c)")
fi
program=$work/$(basename "$1" .c)
"${cross}gcc" -std=c11 -O2 -Wall -Wextra -static -pthread -I"$GUEST_DIR/../.." -o "$program" "$1"
shift
guest_initrd "${cross}gcc" "$tty" "$program" "$@"
guest_run "$qemu/lib/ld.so" --library-path "$qemu/lib" "$qemu/bin/$binary" \
    -accel tcg,thread=multi "${machine[@]}" -smp 2 -m 512 -nodefaults -display none \
    -monitor none -no-reboot -serial "file:$work/console" "${second[@]}" \
    "${devices[@]}" -kernel "$kernel/vmlinuz-$arch" -initrd "$work/initrd" \
    -append "console=$console $append"
