#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fetch.sh [--refresh] WHAT...: print the directory that holds WHAT, downloading it first when it is
# not in the cache yet. Progress goes to stderr. Exit 77 when it cannot be had here.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lab.sh disable=SC1091
. "$(dirname "$0")/lab.sh"

usage() {
    cat <<'T'
usage: fetch.sh [--refresh] WHAT...
  qemu-user      newest user-mode QEMU for aarch64, riscv64, arm and s390x (trixie-backports, else
                 trixie, else bookworm)
  qemu-user-old  bookworm's user-mode QEMU 7.2, which lacks WFET and Zawrs
  bochs          Bochs 3.0 (trixie) and bookworm's amd64 cloud kernel
  arm64-guest    qemu-system-aarch64 (trixie-backports, else trixie) and bookworm's arm64 kernel
  kernel         bookworm's kernel for amd64 and arm64: vmlinuz-ARCH, and all that builds a module
                 (build-ARCH, for make -C)
  kernel-config  of bookworm's kernel source what its configuration reads, and what an object for arm64
                 is compiled with (tree)
  kernel-trixie  trixie's kernel for amd64, arm64 and riscv64, and its compiler (in bin)
  qemu-x86       qemu-system-x86_64 (trixie-backports, else trixie) and its firmware
  qemu-riscv64   qemu-system-riscv64, likewise
  --refresh      look for newer versions even when WHAT is in the cache
Prints one directory a line. The cache is ${XSC_CACHE:-${XDG_CACHE_HOME:-~/.cache}/xsc-wait}.
XSC_DEBIAN_MIRROR=URL names a Debian mirror when the machine's own apt sources name none.
T
}

refresh=
while [ $# -gt 0 ]; do
    case $1 in
    --refresh) refresh=1 ;;
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    -*) usage_error "unknown option $1 (try --help)" ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || usage_error "nothing named to fetch (try --help)"
for what in "$@"; do
    case $what in
    qemu-user | qemu-user-old | bochs | arm64-guest | kernel | kernel-config | kernel-trixie) ;;
    qemu-x86 | qemu-riscv64) ;;
    *) usage_error "unknown thing to fetch: $what (try --help)" ;;
    esac
done

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cannot() {
    local why
    if [ -z "$(mirrors)" ]; then
        why="the apt sources of this machine name no Debian mirror"
    else
        why=$(apt_why "$work/apt")
    fi
    skip "cannot fetch $1: ${why:-a package is not there}; needs a Debian mirror (in the apt" \
        "sources, or XSC_DEBIAN_MIRROR=URL) that has $2"
}

# keep NAME VERSION WHERE_FROM: move $work/new into the cache under NAME_VERSION and let NAME point
# there. All steps are renames, so a reader never sees half of it.
keep() {
    local name=$1 version=$2 from=$3 final
    # Without the epoch: its colon would split a library search path.
    final=$XSC_CACHE_DIR/${name}_${version#*:}
    printf '%s %s (%s)\n' "$name" "$version" "$from" >"$work/new/VERSION"
    chmod 755 "$work/new"
    if [ -d "$final" ]; then
        mv -T "$final" "$work/old"
    fi
    mv -T "$work/new" "$final"
    ln -s "${final##*/}" "$work/link"
    mv -T "$work/link" "$XSC_CACHE_DIR/$name"
}

# gather ROOT OBJECT...: copy the shared libraries OBJECTs need out of ROOT into $work/new/lib, with
# their own dynamic loader, so that the host's C library, whatever its age, plays no part.
gather() {
    local root=$1 loader path
    shift
    loader=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
    path=$(find "$root" -name libc.so.6 -printf '%h' -quit)
    mkdir -p "$work/new/lib"
    cp -L "$loader" "$work/new/lib/ld.so"
    for object in "$@"; do
        "$loader" --library-path "$path" --list "$object"
    done >"$work/needed" || die "cannot resolve the libraries of $*"
    if grep 'not found' "$work/needed" >&2; then die "a library is missing from the download"; fi
    awk '$2 == "=>" { print $3 }' "$work/needed" | sort -u | while read -r library; do
        cp -L "$library" "$work/new/lib/"
    done
}

# unpack_all ROOT: all downloaded packages, less what no emulator reads.
unpack_all() {
    local deb
    for deb in "$work"/apt/debs/*.deb; do
        unpack "$deb" "$1" --exclude=./usr/share/doc --exclude=./usr/share/man \
            --exclude=./usr/share/locale --exclude=./usr/share/icons
    done
}

# kernel_of METAPACKAGE [SUITE]: the name of the kernel image package that it stands for today.
kernel_of() {
    { apt-cache -c "$work/apt/apt.conf" show "$1/${2:-bookworm}" 2>/dev/null || true; } |
        sed -nE 's/^Depends: (linux-image-[^ ,]*).*/\1/p' | head -n 1
}

# put_kernel: vmlinuz out of the one downloaded kernel package into $work/new.
put_kernel() {
    unpack "$(echo "$work"/apt/debs/linux-image-*.deb)" "$work/kernel" \
        --wildcards './boot/vmlinuz-*'
    mv "$work"/kernel/boot/vmlinuz-* "$work/new/vmlinuz"
}

# user_mode NAME PACKAGE SUITE...: PACKAGE from the first of the suites that has it.
user_mode() {
    local name=$1 package=$2 suite version found arch
    shift 2
    for suite in "$@"; do
        # Before trixie, qemu-user is dynamically linked; the static one has a name of its own.
        [ "$suite" != bookworm ] || package=qemu-user-static
        if ! apt_open "$work/apt" "$host_arch" "$suite"; then
            say "no $suite available: $(apt_why "$work/apt")"
            continue
        fi
        version=$(apt_version "$work/apt" "$suite" "$package")
        [ -n "$version" ] || continue
        [ "$suite" = "$1" ] || say "using $suite's $package $version instead of $1's"
        say "downloading $package $version from $suite"
        apt_download "$work/apt" "$package/$suite" || continue
        unpack "$(echo "$work"/apt/debs/*.deb)" "$work/root"
        mkdir -p "$work/new/bin"
        for arch in aarch64 riscv64 arm s390x; do
            found=$work/root/usr/bin/qemu-$arch
            [ -x "$found" ] || found=$found-static
            cp -L "$found" "$work/new/bin/qemu-$arch"
        done
        keep "$name" "$version" "$package from $suite"
        return
    done
    cannot "$name" "$* main"
}

fetch_qemu_user() { user_mode qemu-user qemu-user trixie-backports trixie bookworm; }

fetch_qemu_user_old() { user_mode qemu-user-old qemu-user-static bookworm; }

fetch_bochs() {
    local version kernel
    [ "$host_arch" = amd64 ] || skip "the Bochs guest needs an amd64 machine, this is $host_arch"
    apt_open "$work/apt" amd64 trixie bookworm || cannot bochs "trixie and bookworm main"
    version=$(apt_version "$work/apt" trixie bochs)
    kernel=$(kernel_of linux-image-cloud-amd64)
    if [ -z "$version" ] || [ -z "$kernel" ]; then
        cannot bochs "trixie's bochs and bookworm's linux-image-cloud-amd64"
    fi
    say "downloading bochs $version, its libraries and $kernel (60 MB)"
    # Of the dependencies only libraries matter: Bochs needs GTK 3 to start, its daemons it doesn't.
    # shellcheck disable=SC2046 # one word a package
    apt_download "$work/apt" "$kernel" $(apt_closure "$work/apt" trixie \
        bochs bochs-term bochsbios vgabios | grep -E '^(lib|bochs|vgabios)') ||
        cannot bochs "bochs and $kernel"
    unpack_all "$work/root"
    mkdir -p "$work/new/bin" "$work/new/share" "$work/new/plugins"
    cp "$work/root/usr/bin/bochs-bin" "$work/new/bin/"
    find "$work/root/usr/lib" -path '*/bochs/plugins/*.so*' -exec cp -P {} "$work/new/plugins/" \;
    cp "$work/root/usr/share/bochs/BIOS-bochs-latest" "$work/new/share/BIOS"
    cp -L "$work/root/usr/share/vgabios/vgabios.bin" "$work/new/share/VGABIOS"
    gather "$work/root" "$work/new/bin/bochs-bin" "$work"/new/plugins/libbx_term_gui.so
    put_kernel
    keep bochs "${version}_${kernel#linux-image-}" "trixie, kernel from bookworm"
}

fetch_arm64_guest() {
    local version kernel suite
    [ "$host_arch" = amd64 ] || [ "$host_arch" = arm64 ] ||
        skip "no arm64 guest on a machine of type $host_arch"
    suite=trixie-backports
    if ! apt_open "$work/apt" "$guest_archs" trixie "$suite" bookworm; then
        say "no $suite available: $(apt_why "$work/apt")"
        suite=trixie
        apt_open "$work/apt" "$guest_archs" "$suite" bookworm ||
            cannot arm64-guest "trixie-backports, trixie and bookworm main"
    fi
    version=$(apt_version "$work/apt" "$suite" "qemu-system-arm:$host_arch")
    kernel=$(kernel_of linux-image-arm64:arm64)
    if [ -z "$version" ] || [ -z "$kernel" ]; then
        cannot arm64-guest "$suite's qemu-system-arm and bookworm's linux-image-arm64"
    fi
    [ "$suite" = trixie-backports ] ||
        say "using $suite's qemu-system-arm $version, in which WFE does not block"
    say "downloading qemu-system-arm $version, its libraries and $kernel (100 MB)"
    # shellcheck disable=SC2046 # one word a package
    apt_download "$work/apt" "$kernel:arm64" $(apt_closure "$work/apt" "$suite" \
        "qemu-system-arm:$host_arch" | grep -E '^(lib|qemu-system-(arm|data)|zlib)') ||
        cannot arm64-guest "qemu-system-arm and $kernel:arm64"
    mkdir -p "$work/new/bin"
    put_kernel
    rm "$work"/apt/debs/linux-image-*.deb
    unpack_all "$work/root"
    cp "$work/root/usr/bin/qemu-system-aarch64" "$work/new/bin/"
    gather "$work/root" "$work/new/bin/qemu-system-aarch64"
    keep arm64-guest "${version}_${kernel#linux-image-}" "$suite, kernel from bookworm"
}

# Headers are packaged to be built against at /usr/src. Ours lie below the cache, whose address the
# package's Makefile is told; its links are relative already.
fetch_kernel() {
    local kernel version arch image final
    [ "$host_arch" = amd64 ] || skip "modules are built on amd64 machines only, this is $host_arch"
    apt_open "$work/apt" "$guest_archs" bookworm || cannot kernel "bookworm main"
    kernel=$(kernel_of linux-image-amd64)
    version=${kernel#linux-image-}
    version=${version%-amd64}
    [ -n "$version" ] || cannot kernel "bookworm's linux-image-amd64"
    say "downloading kernel and headers $version for amd64 and arm64 (170 MB)"
    apt_download "$work/apt" "linux-headers-$version-common" linux-kbuild-6.1 \
        "linux-headers-$version-amd64" "linux-headers-$version-arm64:arm64" \
        "linux-image-$version-amd64" "linux-image-$version-arm64:arm64" ||
        cannot kernel "kernel packages $version"
    final=$XSC_CACHE_DIR/kernel_$version
    for arch in amd64 arm64; do
        image=$(echo "$work"/apt/debs/linux-image-*_"$arch".deb)
        unpack "$image" "$work/image-$arch" --wildcards './boot/vmlinuz-*'
        mkdir -p "$work/new"
        mv "$work/image-$arch"/boot/vmlinuz-* "$work/new/vmlinuz-$arch"
        rm "$image"
        ln -s "root/usr/src/linux-headers-$version-$arch" "$work/new/build-$arch"
    done
    unpack_all "$work/new/root"
    sed -i "s|include /usr/src/|include $final/root/usr/src/|" \
        "$work"/new/root/usr/src/linux-headers-"$version"-{amd64,arm64}/Makefile
    keep kernel "$version" bookworm
}

fetch_kernel_config() {
    local version
    apt_open "$work/apt" "$host_arch" bookworm || cannot kernel-config "bookworm main"
    version=$(apt_version "$work/apt" bookworm linux-source-6.1)
    [ -n "$version" ] || cannot kernel-config "bookworm's linux-source-6.1"
    say "downloading the kernel's source $version (140 MB)"
    apt_download "$work/apt" linux-source-6.1 || cannot kernel-config "linux-source-6.1 $version"
    unpack "$(echo "$work"/apt/debs/*.deb)" "$work/root"
    mkdir -p "$work/new/tree"
    tar -xf "$work"/root/usr/src/linux-source-6.1.tar.xz -C "$work/new/tree" --strip-components=1 \
        --wildcards '*/Kconfig*' '*/Makefile*' '*/Kbuild*' 'linux-source-6.1/scripts/*' \
        'linux-source-6.1/arch/*/configs/*' 'linux-source-6.1/tools/scripts/*' \
        'linux-source-6.1/include/*' 'linux-source-6.1/arch/arm64/*' \
        linux-source-6.1/arch/x86/entry/syscalls/syscall_32.tbl 'linux-source-6.1/lib/vdso/*' \
        'linux-source-6.1/tools/include/*' \
        linux-source-6.1/kernel/bounds.c linux-source-6.1/kernel/time/timeconst.bc
    keep kernel-config "$version" bookworm
}

# Trixie's kernel is built by its gcc 14, which no bookworm has, and its headers come with programs
# for its C library. So both are taken from there, each program behind a script that gives it that
# library: neither root nor a root of its own is needed to run them.
fetch_kernel_trixie() {
    local kernel version arch final path programs
    [ "$host_arch" = amd64 ] || skip "modules are built on amd64 machines only, this is $host_arch"
    apt_open "$work/apt" "amd64 arm64 riscv64" trixie || cannot kernel-trixie "trixie main"
    kernel=$(kernel_of linux-image-amd64 trixie)
    version=${kernel#linux-image-}
    version=${version%-amd64}
    [ -n "$version" ] || cannot kernel-trixie "trixie's linux-image-amd64"
    say "downloading kernel and headers $version for amd64, arm64 and riscv64, and gcc 14 (500 MB)"
    # shellcheck disable=SC2046 # one word a package
    apt_download "$work/apt" "linux-headers-$version-common" \
        $(for arch in amd64 arm64 riscv64; do
            echo "linux-headers-$version-$arch:$arch linux-image-$version-$arch:$arch"
        done) \
        $(apt_closure "$work/apt" trixie "linux-kbuild-$version" pahole gcc-14 \
            gcc-14-aarch64-linux-gnu gcc-14-riscv64-linux-gnu |
            grep -E '^(lib|cpp-14|gcc-14|binutils|linux-kbuild|pahole|zlib)' | grep -vE -- '-(cross|dev)') ||
        cannot kernel-trixie "kernel packages $version and gcc 14"
    final=$XSC_CACHE_DIR/kernel-trixie_$version
    mkdir -p "$work/new"
    for arch in amd64 arm64 riscv64; do
        unpack "$(echo "$work"/apt/debs/linux-image-*_"$arch".deb)" "$work/image-$arch" \
            --wildcards './boot/vmlinu[xz]-*'
        mv "$work/image-$arch"/boot/vmlinu?-* "$work/new/vmlinuz-$arch"
        rm "$work"/apt/debs/linux-image-*_"$arch".deb
        ln -s "root/usr/src/linux-headers-$version-$arch" "$work/new/build-$arch"
    done
    unpack_all "$work/new/root"
    ln -s root/usr/bin "$work/new/bin"
    # For link-time optimisation: 200 MB.
    find "$work/new/root/usr/bin" "$work/new/root/usr/libexec" -name '*lto*' -type f -delete
    sed -i "s|include /usr/src/|include $final/root/usr/src/|" \
        "$work"/new/root/usr/src/linux-headers-"$version"-{amd64,arm64,riscv64}/Makefile
    programs=$(find "$work/new/root/usr" -type f -perm -u+x ! -name '*.so*' -exec sh -c \
        'for f; do ! readelf -lW "$f" 2>/dev/null | grep -q "interpreter: /lib64/" || echo "$f"; done' _ {} +)
    # shellcheck disable=SC2086 # no blanks in a package's names
    gather "$work/new/root" $programs
    for path in $programs; do
        mv "$path" "$path.elf"
        # shellcheck disable=SC2016 # the script's
        printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "$0" "%s" "$@"\n' \
            "$final/lib/ld.so" "$final/lib" "$final${path#"$work/new"}.elf" >"$path"
        chmod 755 "$path"
    done
    keep kernel-trixie "$version" trixie
}

# qemu_system NAME PACKAGE BINARY "FIRMWARE-PACKAGE..." FILE...: an emulator, the files in share/.
qemu_system() {
    local name=$1 package=$2 binary=$3 firmware=$4 file version suite=trixie-backports
    shift 4
    [ "$host_arch" = amd64 ] || skip "no guest of a module on a machine of type $host_arch"
    if ! apt_open "$work/apt" "$host_arch" trixie "$suite"; then
        say "no $suite available: $(apt_why "$work/apt")"
        suite=trixie
        apt_open "$work/apt" "$host_arch" "$suite" || cannot "$name" "trixie main"
    fi
    version=$(apt_version "$work/apt" "$suite" "$package")
    [ -n "$version" ] || cannot "$name" "$suite's $package"
    say "downloading $package $version and its libraries (60 MB)"
    # shellcheck disable=SC2046,SC2086 # one word a package
    apt_download "$work/apt" $(apt_closure "$work/apt" "$suite" "$package" $firmware |
        grep -E "^(lib|$package=|qemu-system-data|${firmware// /|}|zlib)") ||
        cannot "$name" "$package $version"
    unpack_all "$work/root"
    mkdir -p "$work/new/bin" "$work/new/share"
    cp "$work/root/usr/bin/$binary" "$work/new/bin/"
    for file in "$@"; do
        cp -L "$(find "$work/root/usr" -path "*/$file" | head -n 1)" "$work/new/share/"
    done
    gather "$work/root" "$work/new/bin/$binary"
    keep "$name" "$version" "$suite"
}

fetch_qemu_x86() {
    qemu_system qemu-x86 qemu-system-x86 qemu-system-x86_64 seabios \
        seabios/bios-256k.bin linuxboot_dma.bin
}

fetch_qemu_riscv64() {
    qemu_system qemu-riscv64 qemu-system-riscv qemu-system-riscv64 opensbi generic/fw_dynamic.bin
}

# cached WHAT: it is there, and not a smaller one of an older fetch.sh.
cached() {
    if [ -n "$refresh" ] || [ ! -e "$XSC_CACHE_DIR/$1/VERSION" ]; then return 1; fi
    case $1 in
    qemu-user*) [ -x "$XSC_CACHE_DIR/$1/bin/qemu-s390x" ] ;;
    kernel-config) [ -d "$XSC_CACHE_DIR/$1/tree/tools/include/tools" ] ;;
    esac
}

mkdir -p "$XSC_CACHE_DIR"
XSC_CACHE_DIR=$(cd "$XSC_CACHE_DIR" && pwd -P)
host_arch=
for what in "$@"; do
    here=$XSC_CACHE_DIR/$what
    if ! cached "$what"; then
        need apt-get apt
        need flock util-linux
        [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] ||
            skip "the Debian archive key is missing: apt-get install debian-archive-keyring"
        host_arch=$(dpkg --print-architecture)
        guest_archs=$host_arch
        [ "$host_arch" = arm64 ] || guest_archs="$host_arch arm64"
        # One download of a thing at a time; a process that waited here finds it done.
        exec 9>"$XSC_CACHE_DIR/.$what.lock"
        flock 9
        if ! cached "$what"; then
            work=$(mktemp -d "$XSC_CACHE_DIR/.fetch.XXXXXX")
            mkdir "$work/new"
            "fetch_${what//-/_}"
            rm -rf "$work"
            work=
        fi
        exec 9>&-
    fi
    say "$(cat "$here/VERSION")"
    printf '%s\n' "$(cd "$here" && pwd -P)"
done
