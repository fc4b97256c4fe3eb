#!/bin/bash
# SPDX-License-Identifier: MIT
#
# setup.sh probe|check|check-fast|bench: install the Debian packages that the job needs and that
# are not there yet. Does nothing, and needs no rights, when all are.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# of_job JOB...: the packages of scripts/packages.txt for these jobs.
of_job() {
    local job
    for job in "$@"; do
        sed -n "s/^$job  *//p" scripts/packages.txt
    done
}

# of_list FILE...: the packages of the lists that are there.
of_list() {
    local file
    for file in "$@"; do
        if [ -f "$file" ]; then sed 's/#.*//' "$file"; fi
    done
}

case ${1-} in
probe) packages=$(of_job build) ;;
bench) packages=$(of_job build bench) ;;
check-fast) packages=$(of_job build bench check) ;;
check)
    packages=$(of_job build bench check cross
        of_list tests/emulated/packages.txt tests/guest/packages.txt)
    ;;
*)
    say "usage: setup.sh probe|check|check-fast|bench"
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # Not Debian or its kin: the build tells by itself what is missing.
    say "no dpkg here: install what corresponds to these Debian packages yourself:"
    say "$(tr -s '[:space:]' ' ' <<<"$packages")"
    exit 0
fi

missing=()
while read -r package; do
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
        missing+=("$package")
    fi
done < <(printf '%s\n' "$packages" | tr -s ' ' '\n' | sed '/^$/d' | sort -u)
[ ${#missing[@]} -gt 0 ] || exit 0

say "installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
        die "not root, and no sudo here. As root: apt-get install ${missing[*]}"
    as_root=(sudo)
fi
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "${missing[@]}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The package lists may be old, or not be there at all (a container's image): only then update.
if ! "${install[@]}" >"$log" 2>&1; then
    say "that failed; reading the package lists again"
    "${as_root[@]}" apt-get update -qq >"$log" 2>&1 || true
    "${install[@]}" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        die "could not install them; by hand: apt-get install ${missing[*]}"
    }
fi
