#!/bin/bash
# SPDX-License-Identifier: MIT
#
# shell.sh: no shell script gives ShellCheck cause to complain.
. "$(dirname "$0")/style.sh"
need shellcheck

sources '*.sh' run | xargs shellcheck -x -P SCRIPTDIR || bad 'see above'
exit $failed
