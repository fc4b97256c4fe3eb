#!/bin/bash
# SPDX-License-Identifier: MIT
#
# symbols.sh LIBRARY: what the headers declare, what the version script lists and what the library
# exports are the same functions and objects.
. "$(dirname "$0")/style.sh"
export LC_ALL=C # one order for sort and comm
need nm

# XSC_API ... name( or name[: the name before the first bracket of every declaration.
declared=$(cat include/xsc/*.h | grep -v '^#' | tr '\n' ' ' |
    grep -oE 'XSC_API[^;{]*' | sed -E 's/^([^(]*)\(.*/\1/; s/\[.*//; s/.*[ *]//' | sort -u)
listed=$(sed -n 's/^ *\(xsc_[a-z0-9_]*\);$/\1/p' user/xsc-wait.map | sort)
wanted=$(sed -n 's/^ *\(xsc_[a-z0-9_]*\);$/\1@@XSC_0.1/p' user/xsc-wait.map | sort)
exported=$(nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sort)

[ -n "$declared" ] || bad 'found no declaration in include/xsc'
comm -23 <(echo "$declared") <(echo "$listed") |
    bad_lines 'declared in include/xsc, not in user/xsc-wait.map'
comm -13 <(echo "$declared") <(echo "$listed") |
    bad_lines 'in user/xsc-wait.map, not declared in include/xsc'
comm -23 <(echo "$wanted") <(echo "$exported") | bad_lines 'listed, and not exported'
comm -13 <(echo "$wanted") <(echo "$exported") | bad_lines 'exported, and not listed'
exit $failed
