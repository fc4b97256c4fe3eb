#!/bin/bash
# SPDX-License-Identifier: MIT
#
# abi.sh DUMP GOLDEN: the public structures are laid out as they were. A change that is meant (a field
# at the end) is recorded by:  build/release/tests/style/abi-dump >tests/style/abi-x86_64.txt
. "$(dirname "$0")/style.sh"

diff -u "tests/style/$2" <("$1") || bad "the ABI is not that of tests/style/$2"

# Every public structure and enumeration is in the dump.
diff <(sed -nE 's/^(struct|enum) (xsc_[a-z0-9_]+) \{.*/\1 \2/p' include/xsc/*.h | sort) \
    <("$1" | sed -nE 's/^((struct|enum) xsc_[a-z0-9_]+).*/\1/p' | sort -u) ||
    bad 'include/xsc (<) and tests/style/abi_dump.c (>) know different types'
exit $failed
