#!/bin/bash
# SPDX-License-Identifier: MIT
#
# litmus/compiled.sh [PATTERN]: compiles the inline part of the headers and the library's protocols with each
# compiler that is here, for x86-64, arm64 (with and without LSE, with the helpers of outline atomics) and
# riscv64, and holds the instructions that come out against the order that each step needs (steps,
# emitted.py). A compiler is believed only where it is also found that bad.c lacks what it lacks.
# PATTERN, an extended regular expression, picks of the lines that are printed: "gcc-12 riscv64".
#
# Newer compilers than the machine's are fetched (tests/emulated/fetch.sh compilers), if they are not
# in the cache only where XSC_LITMUS_FETCH is set: they are 170 MB, and make check sets it.
#
# Exit 0: all is as it must be; 1: something is not; 77: no compiler to check.
set -u
cd "$(dirname "$0")/.." || exit 1
pattern=${1-}
command -v python3 >/dev/null || {
    echo "python3 is missing: run scripts/setup.sh check"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

files=(litmus/inline.c user/{park,barrier,event,mutex,lock,shard,doorbell,idle}.c core/{mechanism,stats}.c)
if [ -f /usr/include/liburing.h ]; then # of any architecture: it is headers for the kernel's interface
    mkdir "$work/include"
    ln -s /usr/include/liburing.h /usr/include/liburing "$work/include"
    files+=(uring/uring.c)
else
    echo 'uring/uring.c is not looked at: liburing-dev is missing'
fi

# compile NAME CPU CONTROLS COMMAND...: one compiler for one CPU, in the background's own folder.
compile() {
    local name=$1 cpu=$2 controls=$3 out=$work/${1//[^a-z0-9+.-]/_} file function status=0
    shift 3
    mkdir -p "$out"
    for file in "${files[@]}" litmus/bad.c; do
        "$@" -std=gnu11 -O2 -g1 -fgnu89-inline -I. -Iinclude -Iuring/include -I"$work/include" -w -S \
            -o "$out/${file//\//.}.s" "$file" 2>>"$out/errors" || status=1
    done
    if [ $status != 0 ]; then
        sed 3q "$out/errors" >"$out/verdict"
        echo "NOT OK  $name: does not compile" >>"$out/verdict"
        return
    fi
    mv "$out/litmus.bad.c.s" "$out/bad"
    if ! python3 litmus/emitted.py "$cpu" litmus/steps "$out"/*.s >"$out/found" 2>&1; then
        status=1
    fi
    if ! python3 litmus/emitted.py --expect "$controls" "$cpu" litmus/bad_steps "$out/bad" >"$out/control" 2>&1; then
        status=1
    fi
    while read -r function; do
        grep -q "^$function:" "$out/litmus.inline.c.s" || {
            echo "$function: inline, and not emitted" >>"$out/control"
            status=1
        }
    done < <(sed -nE 's/^XSC_API XSC_INLINE [a-z0-9_]+ (xsc_[a-z0-9_]+)\(.*/\1/p' include/xsc/*.h)
    if [ $status = 0 ]; then
        echo "ok      $name: $(cat "$out/found")" >"$out/verdict"
    else
        { echo "NOT OK  $name:"; sed 's/^/        /' "$out/found" "$out/control"; } >"$out/verdict"
    fi
}

# try NAME CPU CONTROLS COMMAND...: remember it, if the compiler is here.
names=()
try() {
    [[ "$1" =~ $pattern ]] || return 0
    if ! command -v "$4" >/dev/null; then
        echo "not looked at: $1 ($4 is missing)"
        return 0
    fi
    names+=("$1")
    compile "$@" &
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
}

weak=bad_relaxed,bad_add,bad_load,bad_store,bad_unfenced
old=$weak,bad_old_acquire,bad_old_release,bad_old_both

# with_gcc VERSION X86 ARM64 RISCV64 [OPTION...]
with_gcc() {
    local version=$1 x86=$2 arm64=$3 riscv64=$4 of_riscv=$weak
    shift 4
    [ "$version" -ge 14 ] || of_riscv=$old
    try "gcc-$version x86-64" x86 bad_unfenced "$x86" "$@"
    try "gcc-$version arm64 outline-atomics" arm64 $weak "$arm64" "$@" -moutline-atomics -isystem /usr/aarch64-linux-gnu/include
    try "gcc-$version arm64 armv8-a" arm64 $weak "$arm64" "$@" -march=armv8-a -mno-outline-atomics -isystem /usr/aarch64-linux-gnu/include
    try "gcc-$version arm64 lse" arm64 $weak "$arm64" "$@" -march=armv8-a+lse -isystem /usr/aarch64-linux-gnu/include
    try "gcc-$version riscv64" riscv64 "$of_riscv" "$riscv64" "$@" -isystem /usr/riscv64-linux-gnu/include
}

# with_clang VERSION COMMAND [OPTION...]
with_clang() {
    local version=$1 command=$2
    shift 2
    try "clang-$version x86-64" x86 bad_unfenced "$command" "$@" --target=x86_64-linux-gnu
    try "clang-$version arm64 armv8-a" arm64 $weak "$command" "$@" --target=aarch64-linux-gnu -mno-outline-atomics -isystem /usr/aarch64-linux-gnu/include
    try "clang-$version arm64 lse" arm64 $weak "$command" "$@" --target=aarch64-linux-gnu -march=armv8-a+lse -isystem /usr/aarch64-linux-gnu/include
    try "clang-$version riscv64" riscv64 $weak "$command" "$@" --target=riscv64-linux-gnu -isystem /usr/riscv64-linux-gnu/include
}

version_of() { "$1" -dumpversion 2>/dev/null | sed 's/\..*//'; }

host=$(version_of gcc)
cross=$(version_of riscv64-linux-gnu-gcc)
x86=gcc
[[ "$(gcc -dumpmachine 2>/dev/null)" == x86_64* ]] || x86=x86_64-linux-gnu-gcc
with_gcc "${cross:-${host:-12}}" $x86 aarch64-linux-gnu-gcc riscv64-linux-gnu-gcc
with_clang "$(version_of clang || echo 14)" clang
cache=${XSC_CACHE_DIR:-${XSC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/xsc-wait}}
if [ -n "${XSC_LITMUS_FETCH-}" ] || [ -e "$cache/compilers/VERSION" ]; then
    if fetched=$(tests/emulated/fetch.sh compilers); then
        headers=$(gcc -print-file-name=include)
        with_gcc 14 "$fetched"/bin/{x86_64,aarch64,riscv64}-linux-gnu-gcc-14 -isystem "$headers"
        with_clang 19 "$fetched/bin/clang-19" -resource-dir "$fetched/root/usr/lib/llvm-19/lib/clang/19"
    fi
else
    echo 'not looked at: gcc 14 and clang 19 (tests/emulated/fetch.sh compilers downloads them)'
fi
wait

failed=0
for name in "${names[@]}"; do
    verdict=$work/${name//[^a-z0-9+.-]/_}/verdict
    cat "$verdict" || failed=1
    if grep -q '^NOT OK' "$verdict"; then failed=1; fi
done
if [ ${#names[@]} = 0 ]; then
    echo 'no compiler to look at: run scripts/setup.sh check'
    exit 77
fi
echo "# ${#names[@]} compilers and CPUs"
exit $failed
