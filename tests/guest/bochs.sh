#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run a static amd64 program on a booted Linux whose two emulated CPUs really have UMONITOR, UMWAIT,
# TPAUSE, MONITORX and MWAITX. See README.md for what that proves.
set -euo pipefail
GUEST_DIR=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../emulated/lab.sh disable=SC1091
. "$GUEST_DIR/../emulated/lab.sh"
# shellcheck source-path=SCRIPTDIR source=guest.sh disable=SC1091
. "$GUEST_DIR/guest.sh"

usage() {
    cat <<T
usage: bochs.sh [OPTION...] PROGRAM [ARG...]
  --model M        waitpkg (the default): a CPU with all five instructions
                   mwaitx-only: one with MONITORX and MWAITX, where UMWAIT is an illegal instruction
  --max-time N     set the OS limit of user waits, umwait_control/max_time, to N TSC ticks first
$GUEST_OPTIONS
T
}

model=waitpkg
max_time=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    -*)
        [ $# -ge 2 ] || usage_error "$1 needs a value (try --help)"
        case $1 in
        --model) model=$2 ;;
        --max-time) max_time=$2 ;;
        *) guest_option "$1" "$2" || usage_error "unknown option $1 (try --help)" ;;
        esac
        shift
        ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || usage_error "no program named (try --help)"
case $model in
waitpkg) cpu='model=corei3_cnl, add_features="waitpkg mwaitx"' ;;
mwaitx-only) cpu='model=ryzen' ;;
*) usage_error "--model is waitpkg or mwaitx-only, not '$model'" ;;
esac
if [ -n "$max_time" ]; then
    # The two low bits of the register are not part of the time.
    if ! is_number "$max_time" || [ $((10#$max_time % 4)) -ne 0 ]; then
        usage_error "--max-time wants a multiple of 4, not '$max_time'"
    fi
    [ "$model" = waitpkg ] || usage_error "--max-time needs --model waitpkg"
    guest_set+=(/sys/devices/system/cpu/umwait_control/max_time "$max_time")
fi
elf_check "$1" x86_64
need grub-mkrescue grub-common grub-pc-bin
[ -d /usr/lib/grub/i386-pc ] || skip "GRUB for PCs is missing: apt-get install grub-pc-bin"
need xorriso xorriso
need mformat mtools
need cpio cpio
need "${CC:=gcc}" gcc libc6-dev
bochs=$(fetched bochs)

work=
guest_work
guest_initrd "$CC" ttyS1 "$@"

# The guest's time is a count of instructions: ips of them are a second, and the TSC ticks once for
# each, which the kernel is told instead of letting it measure.
ips=10000000
append="console=ttyS0 quiet rdinit=/init panic=0
  tsc=reliable tsc_early_khz=$((ips / 1000)) no_timer_check cpufreq.off=1 intel_pstate=disable"
# The idle loop must not use MONITOR/MWAIT, else its traffic ends every wait of the program.
append="$append idle=halt"
# Bochs has no fast short REP MOV; the kernel would patch itself for it.
append="$append clearcpuid=fsrm"
# The rest only saves boot time: every instruction is emulated.
append="$append mitigations=off nowatchdog audit=0 nokaslr lsm= apparmor=0 ima=off
  cryptomgr.notests initcall_blacklist=load_system_certificate_list,cubictcp_register"
append="$append,init_kprobe_trace,i8042_init,pci_apply_final_quirks,inet6_init,init_evm,init_ima"
append="$append,event_trace_init,trace_eval_init,bpf_rstat_kfunc_init,tracer_init_tracefs"

mkdir -p "$work/iso/boot/grub"
mv "$work/initrd" "$work/iso/boot/initrd"
cp "$bochs/vmlinuz" "$work/iso/boot/vmlinuz"
cat >"$work/iso/boot/grub/grub.cfg" <<T
set timeout=0
linux /boot/vmlinuz ${append//$'\n'/ }
initrd /boot/initrd
boot
T
grub-mkrescue --modules= --install-modules="linux normal iso9660 biosdisk" --fonts= --locales= \
    --themes= -o "$work/boot.iso" "$work/iso" >"$work/grub.log" 2>&1 || {
    cat "$work/grub.log" >&2
    die "cannot make the boot image"
}

cat >"$work/bochsrc" <<T
megs: 256
cpu: $cpu, count=2, ips=$ips, reset_on_triple_fault=0, ignore_bad_msrs=1
romimage: file=$bochs/share/BIOS, options=fastboot
vgaromimage: file=$bochs/share/VGABIOS
vga: extension=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/console
com2: enabled=1, mode=file, dev=$work/out
display_library: term
clock: sync=none, time0=1700000000
log: $work/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
speaker: enabled=0
sound: waveoutdrv=dummy
T
export LTDL_LIBRARY_PATH=$bochs/plugins BXSHARE=$bochs/share TERM=vt100
guest_run "$bochs/lib/ld.so" --library-path "$bochs/lib" "$bochs/bin/bochs-bin" \
    -q -f "$work/bochsrc"
