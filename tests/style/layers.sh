#!/bin/bash
# SPDX-License-Identifier: MIT
#
# layers.sh: arrows point down. Which directory may include which; see docs/architecture.md.
. "$(dirname "$0")/style.sh"

compiler='<(stdint|stdbool|stddef)\.h>'

# allow DIRECTORY RULE REGEX...: what the C files there may include.
allow() {
    local directory=$1 rule=$2 allowed
    shift 2
    [ -d "$directory" ] || return 0
    allowed=$(IFS='|'; echo "$*")
    { grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' "$directory" || true; } |
        { grep -vE ":[[:space:]]*#[[:space:]]*include[[:space:]]+($allowed)" || true; } |
        bad_lines "$rule"
}

allow arch 'arch/ knows the CPU only' "$compiler" '<cpuid\.h>' '"arch/' '"core/cpu\.h"'
allow mech 'mech/ has no policy and no OS' "$compiler" '"(arch|mech)/' '"core/(clock|cpu|port|watch)\.h"'
allow core 'core/ has no OS' "$compiler" '<xsc/(idle|watch)\.h>' '"(arch|mech|core)/'
allow include 'a public header needs the C library only' "$compiler" '<errno\.h>' '<xsc/[a-z]+\.h>'
allow user 'user/ stands on core/' '<' '"(user|core|mech|arch)/'
allow uring 'uring/ stands on the public headers' '<'
# The simulator runs the policy itself, without a library or a wait.
for directory in tools examples; do
    allow $directory 'what stands on the library uses its public headers' '<' '"[a-z0-9_]+\.h"' \
        "\"$directory/" '"core/(costs|policy)\.h"'
done
# What a bare loop is measured with is an instruction or two of arch/; traces have one reader,
# guests one VMM.
allow bench 'a benchmark uses the public headers' '<' '"[a-z0-9_]+\.h"' '"bench/' '"arch/arch\.h"' \
    '"tools/(cli|xsc-wait-sim/trace)\.h"' '"examples/vmm/vmm\.h"'

# One file reads the environment, so that one place decides whether it is to be trusted.
{ grep -rnE --include='*.[ch]' '\<(secure_)?getenv\>' arch core include mech user uring || true; } |
    { grep -vE '^user/config\.c:|^[^:]*:[0-9]+: \*' || true; } |
    bad_lines 'the environment is read in user/config.c only'

{ grep -rnw --include='*.[ch]' __KERNEL__ arch core include mech user tools bench examples \
    2>/dev/null || true; } | { grep -v '^core/port\.h:' || true; } |
    bad_lines '__KERNEL__ belongs into core/port.h and kernel/'
exit $failed
