#!/bin/bash
# SPDX-License-Identifier: MIT
#
# small.sh LIBRARY CC: SPEC K5. At most 128 KiB stripped and 128 KiB of bss, nothing needed but libc, no
# constructor, and neither allocation nor threads.
# small.sh --as-distributions CC: the same of the library as they build it: with their flags, which
# dpkg-buildflags knows where it is installed, and the build types that they use.
. "$(dirname "$0")/style.sh"
need strip readelf nm "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
limit=$((128 * 1024))

# What the compiler puts into every library is in an empty one, too.
echo | "$2" -shared -fPIC -x c -o "$work/empty" -
constructors() {
    readelf -SW "$1" | sed 's/^ *\[[ 0-9]*\] *//' |
        awk '$1 ~ /^\.(preinit_array|init_array|fini_array|ctors|dtors)/ { print $1, $5 }'
}

# __tls_get_addr may allocate at a thread's first use of a thread-local: hence initial-exec.
unwanted='malloc|calloc|realloc|reallocarray|free|posix_memalign|aligned_alloc|strdup|pthread_create'
unwanted+='|thrd_create|fopen|printf|fprintf|puts|__tls_get_addr'

check() { # check LIBRARY HOW
    local size bss
    strip -o "$work/stripped" "$1"
    size=$(stat -c %s "$work/stripped")
    bss=$((16#$(readelf -SW "$1" | sed 's/^ *\[[ 0-9]*\] *//' | awk '$1 == ".bss" { print $5 }')))
    echo "$2: $size bytes stripped, $bss bytes of bss"
    [ "$size" -le $limit ] || bad "$2: $size bytes stripped, more than 128 KiB"
    [ "$bss" -le $limit ] || bad "$2: $bss bytes of bss, more than 128 KiB"

    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        { grep -vE '^(libc\.so\.6|ld-linux.*)$' || true; } | bad_lines "$2: needed beside libc"
    comm -13 <(constructors "$work/empty" | sort) <(constructors "$1" | sort) |
        bad_lines "$2: bytes of constructors or destructors"
    nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $2); print $2 }' |
        { grep -xE "$unwanted" || true; } |
        bad_lines "$2: imported: it allocates, starts a thread or uses stdio"
}

build() { # build NAME TYPE CFLAGS LDFLAGS
    if ! { cmake -S . -B "$work/$1" -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE="$2" -DCMAKE_C_FLAGS="$3" \
        -DCMAKE_SHARED_LINKER_FLAGS="$4" -DXSC_BUILD_TESTS=OFF -DXSC_BUILD_TOOLS=OFF \
        -DXSC_BUILD_BENCH=OFF >"$work/log" 2>&1 &&
        cmake --build "$work/$1" --target xsc-wait -j2 >>"$work/log" 2>&1; }; then
        bad "$1: does not build: $(tail -n 5 "$work/log")"
        return
    fi
    check "$work/$1/libxsc-wait.so" "$1"
}

if [ "$1" != --as-distributions ]; then
    check "$1" "${1##*/}"
    exit $failed
fi
need cmake
cc=$2
# Debian's, of bookworm, where it isn't Debian.
cflags='-g -O2 -fstack-protector-strong -Wformat -Werror=format-security -Wdate-time -D_FORTIFY_SOURCE=2'
ldflags='-Wl,-z,relro'
if command -v dpkg-buildflags >/dev/null; then
    cflags="$(dpkg-buildflags --get CFLAGS) $(dpkg-buildflags --get CPPFLAGS)"
    ldflags=$(dpkg-buildflags --get LDFLAGS)
fi
harder="${cflags//_FORTIFY_SOURCE=2/_FORTIFY_SOURCE=3} -fstack-clash-protection"
build debian None "$cflags" "$ldflags"
build debian-hardened None "$harder" "$ldflags -Wl,-z,now"
build with-debug-info RelWithDebInfo '' ''
build none None '-O2' ''
exit $failed
