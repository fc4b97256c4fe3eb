/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The two calls of the compiler's <cpuid.h> that arch/x86 makes: the same arguments and results. */
#ifndef XSC_COMPAT_CPUID_H
#define XSC_COMPAT_CPUID_H

#include <asm/processor.h>

#ifdef __CHECKER__ /* sparse does not know this one of the compiler's own functions */
unsigned long long __builtin_ia32_rdtsc(void);
#endif

static inline int __get_cpuid_count(unsigned int leaf, unsigned int subleaf, unsigned int *a,
				    unsigned int *b, unsigned int *c, unsigned int *d)
{
	if (cpuid_eax(leaf & 0x80000000u) < leaf)
		return 0;
	cpuid_count(leaf, subleaf, a, b, c, d);
	return 1;
}

static inline int __get_cpuid(unsigned int leaf, unsigned int *a, unsigned int *b, unsigned int *c,
			      unsigned int *d)
{
	return __get_cpuid_count(leaf, 0, a, b, c, d);
}

#endif /* XSC_COMPAT_CPUID_H */
