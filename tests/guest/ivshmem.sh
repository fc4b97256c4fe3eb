#!/bin/bash
# SPDX-License-Identifier: MIT
#
# ivshmem.sh [--build DIR] SOURCE KERNEL...: boot each of the KERNELs (see kernel.sh) with QEMU's
# ivshmem-doorbell, all of them peers, and run SOURCE in each. Fails when one of them does.
set -euo pipefail
GUEST_DIR=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$GUEST_DIR/../emulated/lab.sh"

build=
if [ "${1-}" = --build ]; then
    build=${2-}
    shift 2
fi
[ $# -ge 2 ] || usage_error "usage: ivshmem.sh [--build DIR] SOURCE KERNEL..."
source=$1
shift
need gcc gcc libc6-dev

work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-test.XXXXXX")
server=
guests=()
# shellcheck disable=SC2317 # called by the trap
end() {
    [ ${#guests[@]} -eq 0 ] || kill "${guests[@]}" 2>/dev/null || true
    wait "${guests[@]}" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

gcc -std=c11 -O2 -Wall -Wextra -o "$work/server" "$GUEST_DIR/ivshmem_server.c"
exec 8< <(exec "$work/server" "$work/socket" 1048576 1)
server=$!
said=
read -r said <&8 || true
[ "$said" = ready ] || die "the ivshmem server does not start"

for kernel in "$@"; do
    name=${kernel//\//-}
    "$GUEST_DIR/kernel.sh" "$kernel" ${build:+--build "$build/$kernel"} --timeout 300 \
        --ivshmem "$work/socket" "$source" >"$work/$name.out" 2>"$work/$name.err" 8<&- &
    guests+=($!)
done
# The first that fails ends it: the others would wait for it in vain.
worst=0
for _ in "$@"; do
    status=0
    wait -n || status=$?
    if [ "$status" != 0 ]; then
        worst=$status
        break
    fi
done
for kernel in "$@"; do
    echo "-- $kernel"
    cat "$work/${kernel//\//-}.out"
    cat "$work/${kernel//\//-}.err" >&2
done
[ "$worst" = 0 ] || [ "$worst" = 77 ] || worst=1
exit "$worst"
