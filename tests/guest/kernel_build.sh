#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel_build.sh [--build DIR] [KERNEL...]: the module builds for each (if none is named, Debian's
# 6.1 and 6.12) with its compiler's W=1 warnings, sparse looks at all of it, and neither complains.
# --build keeps the modules in DIR/KERNEL, and builds what has changed only.
set -euo pipefail
GUEST_DIR=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$GUEST_DIR/../emulated/lab.sh"
# shellcheck source-path=SCRIPTDIR source=kernel_lib.sh disable=SC1091
. "$GUEST_DIR/kernel_lib.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
need sparse sparse
need strings binutils

# Sparse 0.6.4 takes extensions of -march that are younger than it is for mistakes.
cat >"$work/sparse" <<'T'
#!/bin/sh
for argument; do
    shift
    case $argument in -march=rv64*) argument=-march=rv64imac ;; esac
    set -- "$@" "$argument"
done
exec sparse "$@"
T
chmod +x "$work/sparse"

# built KERNEL: prints the version that the module is for.
built() {
    kernel_build "$build/$1" C=2 CHECK="$work/sparse" || return 1
    strings -a "$build/$1/xsc_wait.ko" | sed -n 's/^vermagic=\([^ ]*\) .*/\1/p'
}

build=$work
if [ "${1-}" = --build ]; then
    [ $# -ge 2 ] || usage_error "--build needs a directory"
    build=$2
    shift 2
fi
# shellcheck disable=SC2086 # one word a kernel
[ $# -gt 0 ] || set -- $KERNELS
for name in "$@"; do
    kernel_open "$name" || usage_error "no kernel $name; there are: $KERNELS"
    check "$name" 0 "~^6\\.[0-9]+\\..*-$arch" built "$name"
done
checks_end
