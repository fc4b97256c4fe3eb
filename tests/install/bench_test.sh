#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench_test.sh BUILD: xsc-wait-bench installed by itself, as make install does where make bench has
# built it; and a man page for it and for every other tool, and of every section.
set -euo pipefail
build=${1:?usage: bench_test.sh BUILD}
src=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-install.XXXXXX")
trap 'rm -rf "$work"' EXIT

env -u MAKEFLAGS -u MAKELEVEL make -s -C "$src" -f - bench-only PREFIX=/usr \
    DESTDIR="$work/root" BENCH="$build" >"$work/log" <<'MAKE'
include Makefile
bench-only:
	@$(INSTALL_BENCH)
MAKE
files=$(cd "$work/root" && find . -type f)
[ "$files" = ./usr/bin/xsc-wait-bench ] || { echo "installed: $files"; exit 1; }
"$work/root/usr/bin/xsc-wait-bench" --list | grep -q '^handover'

DESTDIR="$work/all" cmake --install "$build" --prefix /usr >"$work/log"
man=$work/all/usr/share/man
[ -d "$man" ] || man=$work/all/usr/man
for tool in "$work"/all/usr/bin/*; do
    [ -f "$man/man1/${tool##*/}.1" ] || { echo "no man page for ${tool##*/}"; exit 1; }
done
for page in man3/xsc_doorbell_wait.3 man4/xsc-doorbell.4 man7/xsc-wait.7 man9/xsc_wait.9; do
    [ -f "$man/$page" ] || { echo "not installed: $page"; exit 1; }
done
