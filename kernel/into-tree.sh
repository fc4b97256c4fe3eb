#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# into-tree.sh LINUX: put xsc-wait into a kernel's source tree, at drivers/misc/xsc_wait, and let
# drivers/misc know of it. Doing so again changes nothing but what is new.
set -eu
if [ $# != 1 ] || [ ! -f "$1/drivers/misc/Kconfig" ] || [ ! -f "$1/drivers/misc/Makefile" ]; then
    echo "usage: into-tree.sh LINUX, which has drivers/misc" >&2
    exit 2
fi
"$(dirname "$0")/place.sh" "$1/drivers/misc/xsc_wait"

kconfig='source "drivers/misc/xsc_wait/Kconfig"'
if ! grep -qxF "$kconfig" "$1/drivers/misc/Kconfig"; then
    # Before the menu's end, its last line.
    sed -i "\$s|^endmenu\$|$kconfig\nendmenu|" "$1/drivers/misc/Kconfig"
    grep -qxF "$kconfig" "$1/drivers/misc/Kconfig" ||
        { echo "into-tree.sh: drivers/misc/Kconfig does not end with its menu" >&2; exit 1; }
fi
# shellcheck disable=SC2016 # make's, not the shell's
make='obj-$(CONFIG_XSC_WAIT) += xsc_wait/'
grep -qxF "$make" "$1/drivers/misc/Makefile" || echo "$make" >>"$1/drivers/misc/Makefile"
