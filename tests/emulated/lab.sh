# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Helpers shared by the scripts that run a program somewhere else than on this CPU.
# Source it; it defines functions and XSC_CACHE_DIR and does nothing else.
#
# Exit statuses used throughout:  2 bad arguments   77 something needed is not available here (skip)
#   124 the program ran out of time   125 the guest died   128+n the program died of signal n

: "${XSC_CACHE_DIR:=${XSC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/xsc-wait}}"
XSC_EMULATED_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
XSC_SELF=${0##*/}

say() { printf '%s: %s\n' "$XSC_SELF" "$*" >&2; }
die() { say "$*"; exit 1; }
usage_error() { say "$*"; exit 2; }
skip() { say "$*"; exit 77; }

# need COMMAND PACKAGE...: the one clear line for a missing tool.
need() {
    command -v "$1" >/dev/null 2>&1 || skip "$1 is missing: apt-get install ${*:2}"
}

# is_number TEXT: a plain decimal number, nothing else.
is_number() {
    case $1 in '' | *[!0-9]*) return 1 ;; esac
}

# elf_check PROGRAM MACHINE: exit 2 unless PROGRAM is a 64- or 32-bit ELF file for MACHINE.
# Read from the header itself, so that no extra tool is needed.
elf_check() {
    local program=$1 want=$2 head machine
    [ -f "$program" ] || usage_error "$program: no such file"
    [ -x "$program" ] || usage_error "$program: not executable"
    head=$(od -An -v -tx1 -N20 -- "$program" | tr -d ' \n')
    case $head in 7f454c46*) ;; *) usage_error "$program: not an ELF file" ;; esac
    case ${head:36:4} in
    3e00) machine=x86_64 ;;
    b700) machine=aarch64 ;;
    f300) machine=riscv64 ;;
    2800) machine=arm ;;
    0016) machine=s390x ;; # big-endian
    *) machine="machine 0x${head:38:2}${head:36:2}" ;;
    esac
    [ "$machine" = "$want" ] || usage_error "$program: built for $machine, not for $want"
}

# fetched WHAT: the directory that holds WHAT, downloading it when it is not there yet.
# Ends the caller with fetch.sh's own status (77: not available) when that fails.
fetched() {
    "$XSC_EMULATED_DIR/fetch.sh" "$1" || exit $?
}

# --- Debian packages, privately -------------------------------------------------------------------
#
# Everything below works on an apt state of its own: own sources, lists, cache and an empty dpkg
# status. The machine's apt configuration is only read (for a proxy, say), never written, and no
# foreign architecture is added to it.

# mirrors: base addresses of Debian archives this machine already uses, best first. apt itself is
# asked, so deb822 .sources and classic .list files (and disabled entries) are read as apt reads
# them; --print-uris needs neither network nor downloaded lists.
mirrors() {
    if [ -n "${XSC_DEBIAN_MIRROR:-}" ]; then
        printf '%s\n' "${XSC_DEBIAN_MIRROR%/}"
        return
    fi
    # A third-party archive may also call its suite "bookworm", so those whose path ends in
    # /debian come first, and all are only candidates: the Debian key decides in apt_open.
    local suites='bookworm|trixie|forky|sid|stable|testing|unstable|oldstable'
    apt-get update --print-uris 2>/dev/null |
        sed -nE "s,^'([a-z+]+:[^']*)/dists/($suites)/InRelease'.*,\1,p" | awk '
            /^cdrom:/ || seen[$0]++ { next }
            /\/debian\/?$/ { print; next }
            { later[++n] = $0 }
            END { for (i = 1; i <= n; i++) print later[i] }'
}

# apt_open DIR ARCHITECTURES SUITE...: prepare a private apt state in DIR for those suites.
# Returns 1 when no mirror has all of them.
apt_open() {
    local dir=$1 architectures=$2 mirror suite arch
    shift 2
    rm -rf "$dir"
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/debs"
    : >"$dir/status"
    {
        # Hooks of the machine's own configuration (cleaning caches, telling desktops) are about
        # the system's packages, not about these.
        printf '#clear %s;\n' APT::Update::Pre-Invoke APT::Update::Post-Invoke \
            APT::Update::Post-Invoke-Success DPkg::Pre-Invoke DPkg::Post-Invoke APT::Architectures
        printf '%s "%s";\n' Dir::Etc::sourcelist "$dir/sources.list" \
            Dir::Etc::sourceparts /dev/null Dir::Etc::preferences /dev/null \
            Dir::Etc::preferencesparts /dev/null Dir::State "$dir" Dir::State::lists "$dir/lists" \
            Dir::State::status "$dir/status" Dir::Cache "$dir/cache" \
            APT::Sandbox::User "$(id -un)" Acquire::Retries 2 Acquire::http::Timeout 30 \
            APT::Update::Error-Mode any
        for arch in $architectures; do printf 'APT::Architectures:: "%s";\n' "$arch"; done
    } >"$dir/apt.conf"
    for mirror in $(mirrors); do
        for suite in "$@"; do
            printf 'deb [arch=%s target=Packages lang=none signed-by=%s] %s %s main\n' \
                "${architectures// /,}" /usr/share/keyrings/debian-archive-keyring.gpg \
                "$mirror" "$suite"
        done >"$dir/sources.list"
        say "reading the package lists of $*"
        if apt-get -c "$dir/apt.conf" -qq update >"$dir/log" 2>&1; then
            return 0
        fi
    done
    return 1
}

# apt_why DIR: apt's first error, as the tail of a message.
apt_why() {
    if [ -f "$1/log" ]; then sed -n 's/^E: //p' "$1/log" | head -n 1; fi
}

# apt_version DIR SUITE PACKAGE: its version there, nothing when it is not there.
apt_version() {
    { apt-get -c "$1/apt.conf" -qq --print-uris download "$3/$2" 2>/dev/null || true; } |
        sed -nE "s/^'[^']*' [^_ ]*_([^_ ]*)_[^ ]* .*/\1/p" | sed 's/%3a/:/g' | head -n 1
}

# apt_closure DIR SUITE PACKAGE...: the packages and all that they depend on, as name=version.
apt_closure() {
    local dir=$1 suite=$2
    shift 2
    apt-get -c "$dir/apt.conf" -qq --no-install-recommends --print-uris -t "$suite" install "$@" |
        sed -nE "s/^'[^']*' ([^_ ]*)_([^_ ]*)_[^ ]* .*/\1=\2/p" | sed 's/%3a/:/g'
}

# apt_download DIR PACKAGE...: fetch (and let apt verify) packages into DIR/debs.
apt_download() {
    local dir=$1
    shift
    (cd "$dir/debs" && apt-get -c "$dir/apt.conf" -qq download "$@") >"$dir/log" 2>&1
}

# unpack DEB ROOT [TAR-OPTION...]: what is in a package, without running anything of it and never
# into the system.
unpack() {
    local deb=$1 root=$2
    shift 2
    mkdir -p "$root"
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner "$@"
}

# --- Checks, for the scripts that test the scripts ------------------------------------------------

checks_failed=0

# check NAME STATUS OUTPUT COMMAND...: COMMAND ends with STATUS and its stdout is OUTPUT, or matches
# PATTERN (newlines are ordinary characters) when OUTPUT is ~PATTERN. Ends the caller with 77 when
# COMMAND is not available here.
check() {
    local name=$1 status=$2 output=$3 got=0 seen trouble as_wanted=1 started=$SECONDS
    shift 3
    trouble=$(mktemp)
    # The dot keeps the newlines at the end.
    seen=$("$@" 2>"$trouble"; got=$?; printf .; exit "$got") || got=$?
    seen=${seen%.}
    case $output in
    '~'*) printf '%s' "$seen" | grep -qzE -- "${output#?}" || as_wanted= ;;
    *) [ "$seen" = "$output" ] || as_wanted= ;;
    esac
    if [ "$got" = "$status" ] && [ -n "$as_wanted" ]; then
        printf 'ok   %s (%d s)\n' "$name" $((SECONDS - started))
    elif [ "$got" = 77 ]; then
        printf 'skip %s: %s\n' "$name" "$(tail -n 1 "$trouble")"
        rm -f "$trouble"
        exit 77
    else
        printf 'FAIL %s: status %s, not %s; output:\n%s\nerrors:\n' "$name" "$got" "$status" "$seen"
        cat "$trouble"
        checks_failed=$((checks_failed + 1))
    fi
    rm -f "$trouble"
}

checks_end() {
    if [ "$checks_failed" -ne 0 ]; then exit 1; fi
}
