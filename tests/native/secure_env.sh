#!/bin/bash
# SPDX-License-Identifier: MIT
#
# secure_env.sh ROOT CC: XSC_* in the environment is obeyed, but not by a set-user-ID program, with
# each C library that is there. Exit 77 where no such program can be made or run.
set -eu
root=$1 cc=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() {
    echo "skipped: $*"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip "needs root, to make a set-user-ID program and to run it as another user"
command -v setpriv >/dev/null || skip "needs setpriv: apt-get install util-linux"
chmod 755 "$work"

export XSC_MECHANISM=pause XSC_PREFER=cpu XSC_PARK=seqcst XSC_IDLE_SLEEP=50
failed=0
run() { # run COMMAND...: as a user with no rights
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@" 2>&1
}
check() { # check LIBC PROGRAM WANTED
    local got
    got=$(run "$2") || true
    if [ "$got" = "$3" ]; then
        echo "ok - $1: ${2##*/}: $got"
    else
        echo "not ok - $1: ${2##*/}: $got, not $3"
        failed=1
    fi
}

# The program itself must be known to gain rights here (a "nosuid" mount, no_new_privs).
cp "$(command -v id)" "$work/suid-id"
chmod 4755 "$work/suid-id"
[ "$(run "$work/suid-id" -u)" = 0 ] || skip "set-user-ID has no effect in $work: mounted nosuid?"

for compiler in "$cc" musl-gcc; do
    if ! command -v "$compiler" >/dev/null; then
        echo "# $compiler is not here, so not tried: apt-get install musl-tools"
        continue
    fi
    "$compiler" -std=c11 -O1 -I"$root" -I"$root/include" -o "$work/plain" \
        "$root/tests/native/secure_env.c" "$root/user/config.c"
    cp "$work/plain" "$work/set-user-id"
    cp "$work/plain" "$work/set-group-id"
    chmod 755 "$work/plain"
    chmod 4755 "$work/set-user-id"
    chmod 2755 "$work/set-group-id"
    check "$compiler" "$work/plain" obeyed
    check "$compiler" "$work/set-user-id" ignored
    check "$compiler" "$work/set-group-id" ignored
done
exit $failed
