#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# place.sh DIRECTORY: put all that the module is built from into DIRECTORY, which is made where it is
# missing: kernel/ itself, and beside it core/, mech/, arch/ and the headers they share. A file that
# is there and the same is left alone, so that make builds no more than what changed.
set -eu
[ $# = 1 ] || { echo "usage: place.sh DIRECTORY" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
to=$(cd "$1" && pwd)
case $to/ in
"$here"/*) echo "place.sh: $1 lies in kernel/ itself" >&2; exit 2 ;;
esac

put() { # FILE NAME
    if ! cmp -s "$1" "$to/$2"; then
        mkdir -p "$to/$(dirname "$2")"
        cp "$1" "$to/$2"
    fi
}

cd "$here"
for file in Kbuild Kconfig ./*.[ch] compat/*.h; do
    put "$here/$file" "$file"
done
cd ..
for file in core/*.[ch] mech/*.[ch] arch/*.h arch/*/*.h include/xsc/cas.h include/xsc/watch.h; do
    put "$PWD/$file" "$file"
done
