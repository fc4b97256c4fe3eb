#!/bin/bash
# SPDX-License-Identifier: MIT
#
# mechanisms.sh: the list in mech/mech.h, the files of mech/ and docs/mechanisms.md say the same.
. "$(dirname "$0")/style.sh"
need sed

listed=$(sed -n 's/^ *M(\([a-z0-9_]*\), XSC_.*/\1/p' mech/mech.h | sort -u)
[ -n "$listed" ] || bad 'mech/mech.h: no line M(id, traits)'
files=$(for file in mech/*.c; do basename "$file" .c; done | sort)

comm -23 <(echo "$listed") <(echo "$files") | bad_lines 'listed in mech/mech.h, without a file in mech/'
comm -13 <(echo "$listed") <(echo "$files") | bad_lines 'a file of mech/ that mech/mech.h does not list'

for id in $files; do
    grep -q "^const struct xsc_mechanism xsc_mech_$id = {" "mech/$id.c" ||
        bad "mech/$id.c: does not define xsc_mech_$id"
    grep -q "^    \.traits = XSC_TRAITS_$id," "mech/$id.c" || bad "mech/$id.c: .traits is not XSC_TRAITS_$id"
    name=$(sed -n 's/^    \.name = "\([A-Z0-9]*\)",.*/\1/p' "mech/$id.c")
    [ -n "$name" ] || bad "mech/$id.c: no .name in upper case"
    grep -q "^| \`$name\` |" docs/mechanisms.md || bad "docs/mechanisms.md: no row for $name (mech/$id.c)"
done
exit $failed
