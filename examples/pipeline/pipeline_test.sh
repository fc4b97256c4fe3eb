#!/bin/bash
# SPDX-License-Identifier: MIT
#
# pipeline_test.sh PIPELINE PORT: files of awkward lengths come through it, byte for byte, and nothing
# is left in a mailbox. Only the port to linux can pin a thread; another must say that it can't.
set -euo pipefail
pipeline=$1
ways=('' --pinned)
[ "$2" = linux ] || ways=('')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A whole number of blocks, one byte either side, less than one, and none at all.
for bytes in 0 1 4095 4096 4097 65536 8000003; do
    head -c "$bytes" /dev/urandom >"$work/in"
    for how in "${ways[@]}"; do
        # shellcheck disable=SC2086 # no option is no argument
        "$pipeline" $how "$work/in" "$work/out" >"$work/said"
        cmp "$work/in" "$work/out"
        grep -qx "$bytes bytes read, $bytes written" "$work/said"
    done
done
cat "$work/said"

if [ "$2" != linux ]; then
    if "$pipeline" --pinned "$work/in" "$work/out" >/dev/null 2>"$work/said"; then
        echo 'pinned, without a way to'
        exit 1
    fi
    grep -q 'not supported' "$work/said"
fi

# What can't be read, or written, is told.
! "$pipeline" "$work/absent" "$work/out" 2>/dev/null || { echo 'an absent file was read'; exit 1; }
! "$pipeline" "$work" "$work/out" 2>/dev/null >&2 || { echo 'a directory was read'; exit 1; }
if [ -c /dev/full ]; then
    ! "$pipeline" "$work/in" /dev/full 2>/dev/null >&2 || { echo '/dev/full took it'; exit 1; }
fi
