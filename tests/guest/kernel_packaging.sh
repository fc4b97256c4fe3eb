#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel_packaging.sh tree|objects|dkms: that the module drops into a kernel's tree and is offered by
# its configuration, by default too; that it compiles there, as a part of the kernel; that DKMS
# builds it with a distribution's headers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$here/../emulated/lab.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The value of a configuration's symbol; n where it isn't set.
symbol() {
    local value
    value=$(sed -n "s/^$1=//p" "$2/.config")
    echo "${value:-n}"
}

configured() { # ARCH TARGET
    make -s -C "$work/tree" ARCH="$1" CROSS_COMPILE= "$2" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
    echo "$1 $(symbol CONFIG_XSC_WAIT "$work/tree") $(symbol CONFIG_XSC_WAIT_DEBUG "$work/tree")"
}

test_tree() {
    need make make
    need flex flex
    need bison bison
    need gcc gcc libc6-dev
    local source
    source=$(fetched kernel-config)
    cp -r "$source/tree" "$work/tree"
    check 'not a tree' 2 '' "$here/../../kernel/into-tree.sh" "$work"
    check 'placed' 0 '' "$here/../../kernel/into-tree.sh" "$work/tree"
    check 'placed again' 0 '' "$here/../../kernel/into-tree.sh" "$work/tree"
    check 'told of once' 0 $'1\n1\n' sh -c \
        "grep -c xsc_wait '$work/tree/drivers/misc/Kconfig'; grep -c xsc_wait '$work/tree/drivers/misc/Makefile'"
    check 'x86: y by default, without fault injection' 0 $'x86 y n\n' configured x86 x86_64_defconfig
    check 'x86: all modules' 0 $'x86 m y\n' configured x86 allmodconfig
    check 'a 32-bit CPU: not offered' 0 $'x86 n n\n' configured x86 i386_defconfig
}

# For arm64: a kernel for x86 needs more of its source, and a library, before its first object.
in_tree() {
    local status=0
    make -s -C "$work/tree" ARCH=arm64 CROSS_COMPILE="$cross" W=1 KCFLAGS=-Werror "$@" \
        >"$work/log" 2>&1 || status=$?
    if [ "$status" != 0 ] || grep -i 'warning:\|error:' "$work/log"; then
        cat "$work/log"
        return 1
    fi
}

# compiled OPTION...: with these of scripts/config; prints what is then linked into the kernel.
compiled() {
    in_tree defconfig && "$work/tree/scripts/config" --file "$work/tree/.config" "$@" &&
        in_tree olddefconfig prepare && in_tree drivers/misc/xsc_wait/ &&
        "${cross}ar" t "$work/tree/drivers/misc/xsc_wait/built-in.a" | sed 's|.*/||' | sort | tr '\n' ' '
}

test_objects() {
    local source cross=aarch64-linux-gnu-
    [ "$(uname -m)" != aarch64 ] || cross=
    need make make
    need flex flex
    need bison bison
    need bc bc
    need gcc gcc libc6-dev
    need "${cross}gcc" gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    source=$(fetched kernel-config)
    cp -r "$source/tree" "$work/tree"
    check 'placed' 0 '' "$here/../../kernel/into-tree.sh" "$work/tree"
    check 'a part of the kernel, and modules beside it' 0 \
        '~doorbell.o doorbell_edu.o doorbell_ivshmem.o .*inject.o .*main.o .*validate.o wait.o wfe.o ' \
        compiled -e XSC_WAIT_DOORBELL -e DEBUG_FS -e XSC_WAIT_DEBUG \
        -m XSC_WAIT_SELFTEST -m XSC_WAIT_EXAMPLE
    check 'the modules' 0 '' test -s "$work/tree/drivers/misc/xsc_wait/selftest.o" -a \
        -s "$work/tree/drivers/misc/xsc_wait/ring.o"
}

dkms_() {
    dkms "$@" -m xsc-wait -v "$version" --dkmstree "$work/dkms" --sourcetree "$work/src" \
        -k "$release" --kernelsourcedir "$kernel/build-amd64"
}

test_dkms() {
    [ "$(uname -m)" = x86_64 ] || skip "Debian's tools for building modules are fetched for amd64 only"
    need dkms dkms
    need make make
    local kernel release version tree
    kernel=$(realpath "$(fetched kernel)")
    release=$(basename "$(realpath "$kernel/build-amd64")")
    release=${release#linux-headers-}
    mkdir "$work/src" "$work/dkms"
    tree=$("$here/../../kernel/dkms.sh" "$work/src")
    version=${tree##*/xsc-wait-}
    check 'added' 0 '~.*' dkms_ add
    check 'built' 0 '~.*' dkms_ build
    check 'both there' 0 $'2\n' sh -c "find '$work/dkms/xsc-wait/$version/$release' \
        -name xsc_wait.ko\* -o -name xsc_doorbell.ko\* | wc -l"
}

case ${1-} in
tree | objects | dkms) "test_$1" ;;
*) usage_error "usage: kernel_packaging.sh tree|objects|dkms" ;;
esac
checks_end
