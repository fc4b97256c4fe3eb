#!/bin/bash
# SPDX-License-Identifier: MIT
#
# spdx.sh: every source file states its licence at its top. The kernel module may say GPL-2.0 too.
. "$(dirname "$0")/style.sh"

while IFS= read -r file; do
    case $file in
    kernel/*) licence='(MIT|GPL-2\.0(-only|-or-later)?|GPL-2\.0(-only|-or-later)? OR MIT)' ;;
    *) licence=MIT ;;
    esac
    head -n 4 "$file" | grep -qE "SPDX-License-Identifier: $licence( \*/| -->)?\$" ||
        bad "$file: no SPDX-License-Identifier: MIT in its first lines"
done < <(sources '*.[ch]' '*.cpp' '*.hpp' '*.S' '*.sh' '*.py' '*.awk' '*.map' '*.cmake' '*.in' '*.[13]' \
    '*.pml' '*.bt' CMakeLists.txt Makefile Kbuild Kconfig run .clang-format .clang-tidy)
exit $failed
