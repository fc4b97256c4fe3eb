#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# dkms.sh DIRECTORY: make DIRECTORY/xsc-wait-VERSION, a source tree for DKMS:
#     kernel/dkms.sh /usr/src && dkms install xsc-wait/VERSION
set -eu
[ $# = 1 ] || { echo "usage: dkms.sh DIRECTORY" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^#define XSC_VERSION "\(.*\)"/\1/p' "$here/../include/xsc/wait.h")
tree=$1/xsc-wait-$version
"$here/place.sh" "$tree"
config='CONFIG_XSC_WAIT=m CONFIG_XSC_WAIT_DOORBELL=m'
cat >"$tree/dkms.conf" <<CONF
PACKAGE_NAME="xsc-wait"
PACKAGE_VERSION="$version"
MAKE[0]="make -C \$kernel_source_dir M=\$dkms_tree/\$PACKAGE_NAME/\$PACKAGE_VERSION/build $config modules"
CLEAN="make -C \$kernel_source_dir M=\$dkms_tree/\$PACKAGE_NAME/\$PACKAGE_VERSION/build $config clean"
BUILT_MODULE_NAME[0]="xsc_wait"
DEST_MODULE_LOCATION[0]="/updates/dkms"
BUILT_MODULE_NAME[1]="xsc_doorbell"
DEST_MODULE_LOCATION[1]="/updates/dkms"
AUTOINSTALL="yes"
CONF
echo "$tree"
