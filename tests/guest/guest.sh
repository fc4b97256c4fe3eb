# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What all booted guests share; sourced by bochs.sh and arm64.sh after tests/emulated/lab.sh.
# The protocol between host and guest is told in init.c.

guest_set=()
guest_files=()
guest_timeout=60
guest_slower=${XSC_TEST_TIMEOUT_FACTOR:-1} # what all time limits are multiplied by
guest_env=("XSC_TEST_TIMEOUT_FACTOR=$guest_slower")

# shellcheck disable=SC2034 # for the usage text of the scripts that source this
GUEST_OPTIONS='  --timeout S      give up after S seconds of real time (60), exit 124
  --env K=V        in the environment of PROGRAM; repeatable
  --set PATH=TEXT  write TEXT to a file of the guest (sysfs, procfs) before; repeatable
  --file F[=PATH]  also put the file F into the guest, at PATH (/F); repeatable
Stdout gets what PROGRAM, a static binary, writes to its stdout and stderr, and nothing else. Exit
status: that of PROGRAM (128 + n for signal n), 124 out of time, 125 the guest died, 77 not to be
had here, 2 bad arguments.'

# guest_option OPTION VALUE: take one of the options all guests have; 1 when it is none of them.
guest_option() {
    case $1 in
    --timeout)
        if ! is_number "$2" || [ "$2" -eq 0 ]; then
            usage_error "--timeout wants a number of seconds, not '$2'"
        fi
        guest_timeout=$2
        ;;
    --env)
        case $2 in [!=]*=*) ;; *) usage_error "--env wants NAME=VALUE, not '$2'" ;; esac
        guest_env+=("$2")
        ;;
    --set)
        case $2 in /*=*) ;; *) usage_error "--set wants /PATH=TEXT, not '$2'" ;; esac
        guest_set+=("${2%%=*}" "${2#*=}")
        ;;
    --file)
        [ -f "${2%%=*}" ] || usage_error "--file ${2%%=*}: no such file"
        guest_files+=("$2")
        ;;
    *) return 1 ;;
    esac
}

# guest_work: set $work to a directory for this run, gone at the end together with the emulator.
guest_work() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/xsc-guest.XXXXXX")
    emulator=
    trap guest_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# shellcheck disable=SC2317 # called by the trap
guest_end() {
    guest_kill
    rm -rf "$work"
}

guest_kill() {
    if [ -n "$emulator" ]; then
        # A group of its own; Bochs ignores SIGTERM.
        kill -KILL -- "-$emulator" 2>/dev/null || true
        wait "$emulator" 2>/dev/null || true
        emulator=
    fi
}

# guest_initrd CC TTY PROGRAM [ARG...]: make $work/initrd, which boots into PROGRAM.
guest_initrd() {
    local cc=$1 tty=$2 tree=$work/tree program=$3 file name name_in_guest
    shift 3
    name=/xsc/bin/${program##*/}
    mkdir -p "$tree/xsc/bin"
    "$cc" -std=c11 -O2 -s -static -o "$tree/init" "$GUEST_DIR/init.c" ||
        die "cannot build the guest's init with $cc"
    cp -L -- "$program" "$tree$name"
    for file in ${guest_files[@]+"${guest_files[@]}"}; do
        case $file in
        *=*) name_in_guest=${file#*=} ;;
        *) name_in_guest=/${file##*/} ;;
        esac
        mkdir -p "$tree/$(dirname "$name_in_guest")"
        cp -L -- "${file%%=*}" "$tree/$name_in_guest"
    done
    printf '%s\0' "$name" "$@" >"$tree/xsc/argv"
    printf '%s\0' PATH=/bin:/sbin HOME=/ ${guest_env[@]+"${guest_env[@]}"} >"$tree/xsc/env"
    printf '%s\0' "$tty" >"$tree/xsc/tty"
    : >"$tree/xsc/set"
    if [ ${#guest_set[@]} -gt 0 ]; then
        printf '%s\0' "${guest_set[@]}" >"$tree/xsc/set"
    fi
    (cd "$tree" && find . | cpio -o -H newc -R 0:0 --quiet) >"$work/initrd"
}

# guest_ended: the guest's last line has come; its number is then in $status.
guest_ended() {
    local last
    last=$(tail -c 24 "$work/out" 2>/dev/null | tail -n 1)
    case $last in
    '@@EXIT '*) status=${last#@@EXIT } ;;
    *) return 1 ;;
    esac
    is_number "$status" && [ -z "$(tail -c 1 "$work/out")" ]
}

# guest_run COMMAND...: run the emulator until the guest has said how PROGRAM ended, then print what
# PROGRAM wrote and exit as it did. Its output comes in $work/out, the console in $work/console.
guest_run() {
    local length status=
    guest_timeout=$((guest_timeout * guest_slower))
    local deadline=$((SECONDS + guest_timeout))
    : >"$work/out"
    : >"$work/console"
    # timeout is the last resort, should this script be killed itself.
    setsid timeout -s KILL $((guest_timeout + 10)) "$@" </dev/null >"$work/emulator" 2>&1 &
    emulator=$!
    while ! guest_ended; do
        if ! kill -0 "$emulator" 2>/dev/null; then
            guest_ended && break # it ended between the two looks
            status=125
            break
        fi
        if grep -aq 'Kernel panic' "$work/console"; then
            status=125
            break
        fi
        if [ "$SECONDS" -gt "$deadline" ]; then
            status=124
            break
        fi
        sleep 0.1
    done
    guest_kill
    if guest_ended; then
        length=$(wc -c <"$work/out")
        head -c $((length - 9 - ${#status})) "$work/out" # all but "\n@@EXIT n\n"
    else
        cat "$work/out"
        if [ "$status" = 124 ]; then
            say "no end after $guest_timeout s"
        else
            say "the guest died; its last words:"
            grep -aE 'Kernel panic|Oops|BUG' "$work/console" | head -n 3 | tr -d '\r' >&2 || true
            tail -n 8 "$work/console" | tr -d '\r' >&2
            tail -n 5 "$work/emulator" | tr -d '\r\033' >&2
        fi
    fi
    exit "$status"
}
