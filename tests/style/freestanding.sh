#!/bin/bash
# SPDX-License-Identifier: MIT
#
# freestanding.sh CC: core/ and mech/ compile without an operating system's headers and without
# floating point, as in a kernel, and what they then ask of others is the port and nothing else.
. "$(dirname "$0")/style.sh"
cc=$1
need "$cc"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags=(-std=c11 -O2 -ffreestanding -nostdinc -isystem "$("$cc" -print-file-name=include)"
    -I. -Iinclude -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
case $("$cc" -dumpmachine) in
x86_64*) flags+=(-mgeneral-regs-only) ;;
aarch64*) flags+=(-mgeneral-regs-only -mno-outline-atomics) ;;
esac
[ "$cc" != clang ] || flags[4]=-isystem flags[5]=$(clang -print-resource-dir)/include

objects=()
for file in core/*.c mech/*.c; do
    object=$work/${file//\//.}.o
    "$cc" "${flags[@]}" -c -o "$object" "$file" || bad "$file: not freestanding"
    objects+=("$object")
done
[ $failed = 0 ] || exit 1

# A compiler may call these of itself, and kernels have them: __aeabi_* divides 64-bit numbers on
# 32-bit Arm, __clzdi2 counts zeroes where no instruction does.
"$cc" -nostdlib -r -o "$work/all.o" "${objects[@]}"
nm -u "$work/all.o" | awk '{ print $2 }' |
    { grep -vE '^(xsc_port_[a-z_]+|mem(cpy|set|move|cmp)|__aeabi_[a-z0-9]+|__clzdi2|_GLOBAL_OFFSET_TABLE_)$' || true; } |
    bad_lines "called by core/ or mech/, and not the port's"
exit $failed
