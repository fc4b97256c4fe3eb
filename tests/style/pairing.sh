#!/bin/bash
# SPDX-License-Identifier: MIT
#
# pairing.sh: what ends a waiter's sleep and what an unlock does belong together, and the compiler holds
# them to it (user/lock.c, mech/mech.h, xsc/lock.h). Breaks either side in a copy; also looks at
# what is emitted where a cross compiler is there.
. "$(dirname "$0")/style.sh"
need gcc sed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r arch core include mech user "$work"
cd "$work" || exit 1

# builds CC: whether user/lock.c compiles.
builds() { "$1" -std=c11 -O2 -I. -Iinclude -S user/lock.c -o lock.s 2>errors; }

# refused CC FILE SED-EXPRESSION WHAT
refused() {
    cp "$2" original
    sed -i "$3" "$2"
    if cmp -s "$2" original; then
        bad "$4: nothing left to break in $2"
    elif builds "$1"; then
        bad "$4: compiles"
    elif ! grep -q 'xsc/lock.h: unlock makes' errors; then
        cat errors
        bad "$4: does not compile, for another reason"
    fi
    cp original "$2"
}

builds gcc || { cat errors; bad 'user/lock.c does not compile'; }
refused gcc mech/mech.h 's/^\( *M(generic,\) .*/\1 XSC_NEEDS_WAKE)/' \
    'a mechanism that needs an event, an unlock that makes none'
refused gcc include/xsc/lock.h 's/^#define XSC_UNLOCK_EVENT 0/#define XSC_UNLOCK_EVENT 1/' \
    'an event without a waiter for it'

# emits CC REGEX WHAT, within xsc_ticket_unlock
emits() {
    builds "$1" || { cat errors; bad "$1: user/lock.c does not compile"; }
    sed -n '/^xsc_ticket_unlock:/,/\.size/p' lock.s | grep -qE "$2" || bad "$1: $3"
}
if command -v aarch64-linux-gnu-gcc >/dev/null; then
    emits aarch64-linux-gnu-gcc '\bstlrh\b' 'unlock is no store-release of the half'
    if grep -qw sev lock.s; then bad 'arm64: an SEV that no waiter needs'; fi
fi
if command -v arm-linux-gnueabihf-gcc >/dev/null; then
    emits arm-linux-gnueabihf-gcc '\bsev\b' 'unlock sends no event'
    refused arm-linux-gnueabihf-gcc include/xsc/lock.h \
        's/^#define XSC_UNLOCK_EVENT 1/#define XSC_UNLOCK_EVENT 0/' 'armv7 without SEV'
fi
exit $failed
