/* SPDX-License-Identifier: MIT */
/*
 * core/cpu.h - the facts about this CPU that mechanisms decide by
 *
 * Filled in once by the port (what only the OS can say) and the arch headers (what the
 * CPU says itself). A mechanism's detect() reads nothing else, so it can be asked about
 * any CPU one cares to write down.
 */
#ifndef XSC_CORE_CPU_H
#define XSC_CORE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Features, one bit each, for xsc_cpu.has and xsc_cpu.unknown. */
enum xsc_cpu_feature {
    XSC_HAS_WAITPKG = 1u << 0,     /* x86: CPUID.(7,0):ECX[5] */
    XSC_HAS_MONITORX = 1u << 1,    /* x86: CPUID 8000_0001h:ECX[29] */
    XSC_HAS_EVTSTRM = 1u << 2,     /* arm, arm64: the OS runs the event stream (HWCAP_EVTSTRM) */
    XSC_HAS_WFXT = 1u << 3,        /* arm64: FEAT_WFxT (HWCAP2_WFXT) */
    XSC_HAS_ZAWRS = 1u << 4,       /* riscv: riscv_hwprobe IMA_EXT_0 bit 48 */
    XSC_HAS_ZIHINTPAUSE = 1u << 5, /* riscv: riscv_hwprobe IMA_EXT_0 bit 36 */
};

struct xsc_cpu {
    uint32_t has;     /* features known to be there */
    uint32_t unknown; /* features that nothing here could be asked about */
    uint32_t cpus;    /* that this process may run on; 0: not known; see xsc_engine_cpus() */
    bool hypervisor;  /* CPUID.1:ECX[31]: says so of itself; false proves nothing */

    /* The counter that xsc_arch_counter() reads. */
    bool counter_trusted;       /* constant rate, all CPUs alike, readable, and the OS agrees */
    uint64_t counter_hz;        /* what the hardware says of itself; 0: it does not say */
    const char *counter_reason; /* why not, where it isn't trusted */

    /*
     * x86 MSR 0xE1, IA32_UMWAIT_CONTROL, as the OS shows it. Bit 0 set: C0.2 is not
     * allowed. Bits 31:2: the longest UMWAIT or TPAUSE in TSC ticks, 0 for no limit.
     * (Intel SDM vol. 4, table 2-2; Linux Documentation/ABI sysfs umwait_control.)
     */
    bool umwait_known;
    bool umwait_c02;
    uint32_t umwait_max_ticks;
    const char *umwait_source; /* where that was read */
};

#endif /* XSC_CORE_CPU_H */
