#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tidy.sh BUILD: clang-tidy, as .clang-tidy says, over what BUILD compiles of the library and tools.
. "$(dirname "$0")/style.sh"
need clang-tidy python3
[ -f "$1/compile_commands.json" ] || { echo "$1 is no configured build"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A file that several targets compile is looked at once, as the first of them compiles it.
python3 - "$1/compile_commands.json" "$work/compile_commands.json" <<'PYTHON' >"$work/files"
import json, os, sys
database = {}
for entry in json.load(open(sys.argv[1])):
    name = os.path.relpath(entry["file"])
    if name.split("/")[0] in ("core", "mech", "user", "uring", "tools"):
        database.setdefault(name, entry)
json.dump(list(database.values()), open(sys.argv[2], "w"))
print("\n".join(sorted(database)))
PYTHON

xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$work" --warnings-as-errors='*' \
    <"$work/files" 2>/dev/null || bad 'clang-tidy complains, see above'
echo "$(wc -l <"$work/files") files"
exit $failed
