#!/bin/bash
# SPDX-License-Identifier: MIT
#
# format.sh [--fix]: C is laid out as .clang-format says. --fix lays it out so.
. "$(dirname "$0")/style.sh"
need clang-format
mode=(--dry-run -Werror)
[ "${1-}" != --fix ] || mode=(-i)

sources '*.[ch]' | xargs clang-format "${mode[@]}" || bad 'to repair: tests/style/format.sh --fix'
exit $failed
