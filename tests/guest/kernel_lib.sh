# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The kernels that the module is built for; sourced by kernel.sh and kernel_build.sh after
# tests/emulated/lab.sh.

# shellcheck disable=SC2034 # for the scripts that source this
KERNELS='amd64 arm64 trixie/amd64 trixie/arm64 trixie/riscv64'

# kernel_open NAME: fetch one of KERNELS and set $arch, $kernel (where it lies), $tools (where its own
# compiler does) and $cross (how the names of the one for programs begin); 1 where there is none.
kernel_open() {
    local triplet
    case " $KERNELS " in *" $1 "*) ;; *) return 1 ;; esac
    [ "$(uname -m)" = x86_64 ] || skip "Debian's tools for building modules are fetched for amd64 only"
    arch=${1#trixie/}
    case $arch in
    amd64) triplet=x86_64-linux-gnu cross= ;;
    arm64) triplet=aarch64-linux-gnu cross=$triplet- ;;
    riscv64) triplet=riscv64-linux-gnu cross=$triplet- ;;
    esac
    need make make
    need "${cross}gcc" "gcc${cross:+-$triplet libc6-dev-$arch-cross}"
    if [ "$1" = "$arch" ]; then
        kernel=$(fetched kernel) || exit $?
        tools=
    else
        kernel=$(fetched kernel-trixie) || exit $?
        tools=$kernel/bin
    fi
}

# kernel_build INTO [MAKE-ARGUMENT...]: the modules, with W=1. Any warning is an error.
kernel_build() {
    local into log status=0 name=$arch
    mkdir -p "$1"
    into=$(cd "$1" && pwd)
    shift
    case $arch in amd64) name=x86_64 ;; riscv64) name=riscv ;; esac
    log=$into/.log
    PATH=${tools:+$tools:}$PATH make -s -C "$GUEST_DIR/../../kernel" DEBUG=1 W=1 BUILD="$into" \
        ARCH="$name" CROSS_COMPILE="$cross" KDIR="$(realpath "$kernel/build-$arch")" KCFLAGS=-Werror \
        "$@" >"$log" 2>&1 || status=$?
    if [ "$status" != 0 ] || grep -qi 'warning:\|error:' "$log"; then
        cat "$log" >&2
        say "the module does not build for $arch without complaints"
        return 1
    fi
}
