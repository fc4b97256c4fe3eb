// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What the kernel knows of the CPU; the kernel's own word stands above the CPU's. */
#include <linux/cpumask.h>
#ifdef CONFIG_X86
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>
#elif defined(CONFIG_ARM64)
#include <asm/arch_timer.h>
#include <linux/cpufeature.h>
#elif defined(CONFIG_RISCV)
#include <asm/asm-extable.h>
#endif

#include "arch/arch.h"
#include "core/port.h"
#include "compat/versions.h"
#include "module.h"

#ifdef CONFIG_X86

/* IA32_UMWAIT_CONTROL: Intel SDM vol. 4, table 2-2. */
#define UMWAIT_CONTROL 0xe1

/*
 * Only where CPUID says WAITPKG: elsewhere the MSR is not there and a read is #GP, or an
 * emulator gives 0 for it, which would look like "C0.2 allowed, no limit".
 */
static void read_umwait_control(struct xsc_cpu *cpu)
{
	u64 value;

	if (rdmsrq_safe(UMWAIT_CONTROL, &value)) {
		cpu->umwait_source = "MSR 0xE1 can't be read, though CPUID has WAITPKG";
		return;
	}
	cpu->umwait_known = true;
	cpu->umwait_c02 = !(value & 1);
	cpu->umwait_max_ticks = (u32)value & ~3u;
	cpu->umwait_source = "MSR 0xE1";
}

static void ask_kernel(struct xsc_cpu *cpu)
{
	/* clearcpuid= on the command line, or an erratum: what the kernel took back is not there. */
	if (!boot_cpu_has(X86_FEATURE_WAITPKG))
		cpu->has &= ~XSC_HAS_WAITPKG;
	if (!boot_cpu_has(X86_FEATURE_MWAITX))
		cpu->has &= ~XSC_HAS_MONITORX;
	if (check_tsc_unstable()) {
		cpu->counter_trusted = false;
		cpu->counter_reason = "the kernel has found the TSC unstable";
	} else if (tsc_khz) {
		cpu->counter_hz = (u64)tsc_khz * 1000;
	}
#ifdef XSC_WAIT_DEBUG
	xsc_inject_claims(cpu);
#endif
	if (cpu->has & XSC_HAS_WAITPKG)
		read_umwait_control(cpu);
}

/* The instructions of arch/x86/arch.h, each with a fixup. Deadlines are long past, or a tick. */
static bool umwait_runs(void)
{
	u32 word = 0, fault = 1;

	asm volatile("1: .byte 0xf3, 0x0f, 0xae, 0xf0\n\txorl %0, %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(fault)
		     : "a"(&word)
		     : "memory", "cc");
	if (fault)
		return false;
	fault = 1;
	asm volatile("1: .byte 0xf2, 0x0f, 0xae, 0xf1\n\txorl %0, %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(fault)
		     : "a"(0), "d"(0), "c"(1)
		     : "memory", "cc");
	return !fault;
}

static bool mwaitx_runs(void)
{
	u32 word = 0, fault = 1;

	asm volatile("1: .byte 0x0f, 0x01, 0xfa\n\txorl %0, %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(fault)
		     : "a"(&word), "c"(0), "d"(0)
		     : "memory", "cc");
	if (fault)
		return false;
	fault = 1;
	asm volatile("1: .byte 0x0f, 0x01, 0xfb\n\txorl %0, %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(fault)
		     : "a"(0), "b"(1), "c"(2)
		     : "memory", "cc");
	return !fault;
}

bool xsc_claimed_instructions_run(void)
{
	struct xsc_cpu cpu = {0};

	xsc_arch_features(&cpu);
	ask_kernel(&cpu);
	return (!(cpu.has & XSC_HAS_WAITPKG) || umwait_runs()) &&
	       (!(cpu.has & XSC_HAS_MONITORX) || mwaitx_runs());
}

#elif defined(CONFIG_ARM64)

static void ask_kernel(struct xsc_cpu *cpu)
{
	if (cpu_have_named_feature(EVTSTRM))
		cpu->has |= XSC_HAS_EVTSTRM;
	if (cpu_have_named_feature(WFXT))
		cpu->has |= XSC_HAS_WFXT;
	/* Errata of the counter are worked around by the kernel's reads of it, not by ours. */
	if (has_erratum_handler(read_cntvct_el0)) {
		cpu->counter_trusted = false;
		cpu->counter_reason = "CNTVCT_EL0 has an erratum on this CPU";
	}
}

/*
 * HWCAP2_WFXT is what all CPUs' ID_AA64ISAR2_EL1 agree on, and the kernel executes WFET by it. A
 * trap of it goes to the hypervisor (HCR_EL2.TWE), never to us.
 */
bool xsc_claimed_instructions_run(void)
{
	return true;
}

#elif defined(CONFIG_RISCV)

static void ask_kernel(struct xsc_cpu *cpu)
{
#ifdef RISCV_ISA_EXT_ZAWRS /* since 6.11; before it unknown, and tried by name only */
	if (riscv_isa_extension_available(NULL, ZAWRS))
		cpu->has |= XSC_HAS_ZAWRS;
#else
	cpu->unknown |= XSC_HAS_ZAWRS;
#endif
	if (riscv_isa_extension_available(NULL, ZIHINTPAUSE))
		cpu->has |= XSC_HAS_ZIHINTPAUSE;
}

/* WRS.STO (RISC-V unprivileged specification, "Zawrs"); with no reservation it does not stall. */
bool xsc_claimed_instructions_run(void)
{
	unsigned long fault = 1;

	asm volatile("1: .4byte 0x01d00073\n\tli %0, 0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(fault)
		     :
		     : "memory");
	return !fault;
}

#endif

void xsc_port_cpu(struct xsc_cpu *cpu)
{
	xsc_arch_features(cpu);
	ask_kernel(cpu);
	cpu->cpus = num_online_cpus();
}
