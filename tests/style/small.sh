#!/bin/bash
# SPDX-License-Identifier: MIT
#
# small.sh LIBRARY CC: SPEC K5. Under 100 KiB stripped, nothing needed but libc, no constructor, and
# neither allocation nor threads.
. "$(dirname "$0")/style.sh"
need strip readelf nm "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

strip -o "$work/stripped" "$1"
size=$(stat -c %s "$work/stripped")
echo "$size bytes stripped"
[ "$size" -lt $((100 * 1024)) ] || bad "$size bytes stripped, more than 100 KiB"

readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    { grep -vE '^(libc\.so\.6|ld-linux.*)$' || true; } | bad_lines 'needed beside libc'

# What the compiler puts into every library is in an empty one, too.
echo | "$2" -shared -fPIC -x c -o "$work/empty" -
constructors() {
    readelf -SW "$1" | sed 's/^ *\[[ 0-9]*\] *//' |
        awk '$1 ~ /^\.(preinit_array|init_array|fini_array|ctors|dtors)/ { print $1, $5 }'
}
comm -13 <(constructors "$work/empty" | sort) <(constructors "$1" | sort) |
    bad_lines 'bytes of constructors or destructors'

# __tls_get_addr may allocate at a thread's first use of a thread-local: hence initial-exec.
unwanted='malloc|calloc|realloc|reallocarray|free|posix_memalign|aligned_alloc|strdup|pthread_create'
unwanted+='|thrd_create|fopen|printf|fprintf|puts|__tls_get_addr'
nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $2); print $2 }' |
    { grep -xE "$unwanted" || true; } |
    bad_lines 'imported: it allocates, starts a thread or uses stdio'
exit $failed
