#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tidy.sh BUILD: clang-tidy, as .clang-tidy says, over what BUILD compiles of the library and tools.
. "$(dirname "$0")/style.sh"
need clang-tidy
[ -f "$1/compile_commands.json" ] || { echo "$1 is no configured build"; exit 1; }

files=()
for directory in core mech user tools; do
    while IFS= read -r file; do
        if grep -q "\"file\": \"$PWD/$file\"" "$1/compile_commands.json"; then files+=("$file"); fi
    done < <(sources '*.c' | grep "^$directory/")
done
printf '%s\n' "${files[@]}" |
    xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$1" --warnings-as-errors='*' 2>/dev/null ||
    bad 'clang-tidy complains, see above'
echo "${#files[@]} files"
exit $failed
