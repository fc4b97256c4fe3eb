#!/bin/bash
# SPDX-License-Identifier: MIT
#
# pipeline_test.sh PIPELINE: files of awkward lengths come through it, byte for byte, and nothing is
# left in a mailbox.
set -euo pipefail
pipeline=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A whole number of blocks, one byte either side, less than one, and none at all.
for bytes in 0 1 4095 4096 4097 65536 8000003; do
    head -c "$bytes" /dev/urandom >"$work/in"
    for how in '' --pinned; do
        # shellcheck disable=SC2086 # no option is no argument
        "$pipeline" $how "$work/in" "$work/out" >"$work/said"
        cmp "$work/in" "$work/out"
        grep -qx "$bytes bytes read, $bytes written" "$work/said"
    done
done
cat "$work/said"

# What can't be read, or written, is told.
! "$pipeline" "$work/absent" "$work/out" 2>/dev/null || { echo 'an absent file was read'; exit 1; }
! "$pipeline" "$work" "$work/out" 2>/dev/null >&2 || { echo 'a directory was read'; exit 1; }
if [ -c /dev/full ]; then
    ! "$pipeline" "$work/in" /dev/full 2>/dev/null >&2 || { echo '/dev/full took it'; exit 1; }
fi
