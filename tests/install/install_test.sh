#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install_test.sh CC: make install into an empty root, then what a user does with it: find it by
# CMake (shared and static) and by pkg-config, compile its headers as strict C and C++, run.
set -euo pipefail
src=$(cd "$(dirname "$0")/../.." && pwd)
here=$src/tests/install
cc=${1:?usage: install_test.sh gcc|clang}
case $cc in gcc) cxx=g++ ;; *) cxx=clang++ ;; esac

for tool in "$cc" "$cxx" cmake make pkg-config; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing: run scripts/setup.sh check"
        exit 77
    fi
done

work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

step() { echo "-- $*"; }

# run PROGRAM...: with the installed library, and none that may be on the machine already.
run() {
    LD_LIBRARY_PATH=$libdir "$@"
}

step "make install PREFIX=/usr DESTDIR=..."
env -u MAKEFLAGS -u MAKELEVEL CC="$cc" \
    make -s -C "$src" install PREFIX=/usr DESTDIR="$root" BUILD="$work/build" >"$work/log" 2>&1 ||
    { tail -n 30 "$work/log"; exit 1; }
pc=$(find "$root/usr" -name xsc-wait.pc)
libdir=$(dirname "$(dirname "$pc")")
stray=$(find "$root" -mindepth 1 -maxdepth 1 ! -name usr)
[ -z "$stray" ] || { echo "installed outside of PREFIX: $stray"; exit 1; }
for file in "$root/usr/include/xsc/wait.h" "$libdir/libxsc-wait.so" "$libdir/libxsc-wait.so.0" \
    "$libdir/libxsc-wait.a" "$root/usr/bin/xsc-wait-probe"; do
    [ -e "$file" ] || { echo "not installed: ${file#"$root"}"; exit 1; }
done
run "$root/usr/bin/xsc-wait-probe" --help >"$work/help"
[ -s "$work/help" ] || { echo "the installed xsc-wait-probe says nothing to --help"; exit 1; }
if grep -rIlF -e "$work" -e "$src/include" "$root/usr"; then
    echo "the files above name the place they were built in"
    exit 1
fi

step "CMake: find_package(xsc-wait), shared and static"
{
    cmake -S "$here/project" -B "$work/project" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
    cmake --build "$work/project"
} >"$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
for program in shared static; do
    "$work/project/$program"
done
readelf -d "$work/project/shared" | grep -q 'NEEDED.*libxsc-wait\.so\.0'
if readelf -d "$work/project/static" | grep 'NEEDED.*libxsc-wait'; then
    echo "xsc::wait-static gave the shared library"
    exit 1
fi

step "pkg-config, shared and static"
export PKG_CONFIG_PATH=$libdir/pkgconfig PKG_CONFIG_LIBDIR=$libdir/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs xsc-wait)"
"$cc" -std=c11 -Wall -Wextra -Werror -o "$work/pc" "$here/project/main.c" "${flags[@]}"
run "$work/pc"
read -ra flags <<<"$(pkg-config --static --cflags --libs xsc-wait)"
"$cc" -std=c11 -static -o "$work/pc-static" "$here/project/main.c" "${flags[@]}"
"$work/pc-static"
version=$(run "$work/pc")
[ "$(pkg-config --modversion xsc-wait)" = "${version##* }" ] ||
    { echo "xsc-wait.pc and xsc_version() disagree"; exit 1; }

step "the archive's names: a user's own xsc_sleep(), a plug-in that exports nothing of ours"
cat >"$work/own.c" <<'C'
#include <xsc/park.h>
int xsc_sleep(void);
int xsc_library;
int xsc_sleep(void)
{
    uint32_t word = xsc_library != 0;

    xsc_unpark_all(&word);
    return xsc_park_u32(&word, 0, 1) == 0;
}
#if !defined(PLUG_IN)
int main(void) { return xsc_sleep(); }
#endif
C
# own NAME [FLAG...]: with the archive of $archive.
archive=$libdir/libxsc-wait.a
own() {
    "$cc" -std=c11 -I"$root/usr/include" -o "$work/$1" "${@:2}" "$work/own.c" "$archive" -pthread
}
# exports NAME: the names of ours that it gives to other objects, beside its own xsc_sleep().
exports() {
    nm -D --defined-only "$work/$1" | awk '{ print $3 }' | grep '^xsc_' | grep -vxE 'xsc_(sleep|library)' || true
}
own own
"$work/own"
own plain.so -DPLUG_IN -shared -fPIC
[ -n "$(exports plain.so)" ] || { echo "this test sees no exports where there are some"; exit 1; }
own excluded.so -DPLUG_IN -shared -fPIC -Wl,--exclude-libs,libxsc-wait.a
{
    cmake -S "$src" -B "$work/hidden" -DCMAKE_C_COMPILER="$cc" -DXSC_HIDDEN=ON -DXSC_BUILD_TESTS=OFF \
        -DXSC_BUILD_TOOLS=OFF -DXSC_BUILD_BENCH=OFF
    cmake --build "$work/hidden" --target xsc-wait-static -j 2
} >"$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
archive=$work/hidden/libxsc-wait.a
own hidden-own
"$work/hidden-own"
own hidden.so -DPLUG_IN -shared -fPIC
for plug_in in excluded hidden; do
    [ -z "$(exports $plug_in.so)" ] || { echo "$plug_in: a plug-in exports $(exports $plug_in.so)"; exit 1; }
done

step "every header alone, as strict C and C++"
strict=(-Wall -Wextra -Wshadow -Wconversion -Werror -pedantic-errors -isystem "$root/usr/include")
# As a user's own directory, so that warnings in the headers count.
strict[-2]=-I
for header in "$root"/usr/include/xsc/*.h; do
    printf '#include <xsc/%s>\nextern int declared;\n' "${header##*/}" >"$work/one.c"
    for std in c11 gnu11 c17; do
        "$cc" -std=$std "${strict[@]}" -c -o "$work/one.o" "$work/one.c"
    done
    for std in c++11 c++17 c++20; do
        "$cxx" -x c++ -std=$std "${strict[@]}" -c -o "$work/one.o" "$work/one.c"
    done
done

step "what a watch takes and refuses, in C and C++"
# watch LANGUAGE DECLARATION EXPRESSION: whether it compiles.
watch() {
    local compiler=$cc language=c std=-std=c11
    [ "$1" = c ] || compiler=$cxx language=c++ std=-std=c++11
    printf '#include <xsc/wait.h>\n%s\nint f(void);\nint f(void) { return %s; }\n' "$2" "$3" |
        "$compiler" "$std" "${strict[@]}" -fsyntax-only -x $language - 2>"$work/log"
}
for language in c c++; do
    for type in char 'signed char' 'unsigned short' int long 'volatile unsigned long long' 'const bool'; do
        watch $language "#include <stdbool.h>
            extern $type w;" 'xsc_wait(&w, 1, 0) + xsc_wait_mask(&w, 1, 1, 0) + xsc_wait_reached(&w, 1, 0)' ||
            { echo "$language: $type is refused: $(cat "$work/log")"; exit 1; }
    done
    for type in double float 'struct { int a; }' 'int *' 'void'; do
        if watch $language "typedef $type t; extern t *w;" 'xsc_wait(w, 1, 0)'; then
            echo "$language: $type is taken for a word"
            exit 1
        fi
    done
    if watch $language 'extern int w;' 'xsc_wait(&w, 1.0, 0)'; then
        echo "$language: 1.0 is taken for a value"
        exit 1
    fi
done
for calls in 'xsc_wait(&w, 1, 0) + xsc_wait_mask(&w, 1, 0, 1) + xsc_wait_reached(&w, 1u, 0)' \
    'xsc_park(&w, 1, 0) + xsc_park_mask(&w, 1, 0, 1) + xsc_park_reached(&w, 1, 0)'; do
    watch c '#include <xsc/park.h>
        extern _Atomic unsigned w;' "$calls" || { echo "_Atomic is refused: $(cat "$work/log")"; exit 1; }
done

step "C++: all headers, linked and run"
for std in c++11 c++17; do
    "$cxx" -std=$std "${strict[@]}" -o "$work/cxx" "$here/project/main.cpp" -L"$libdir" -lxsc-wait
    run "$work/cxx"
done
