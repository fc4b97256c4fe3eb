/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What kernels between 6.1 and today name, or keep, differently: here by its newest name. */
#ifndef XSC_COMPAT_VERSIONS_H
#define XSC_COMPAT_VERSIONS_H

#include <linux/version.h>

#ifdef CONFIG_X86
#include <asm/msr.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define rdmsrq_safe(msr, value) rdmsrl_safe(msr, value)
#endif
#endif

#ifdef CONFIG_RISCV
#include <asm/hwcap.h>

/* Where riscv_isa_extension_available() is, since 6.7. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#include <asm/cpufeature.h>
#endif
#endif

#endif /* XSC_COMPAT_VERSIONS_H */
