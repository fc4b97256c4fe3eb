/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What core/ and mech/ take from the compiler's <stdint.h>, by the kernel's types. */
#ifndef XSC_COMPAT_STDINT_H
#define XSC_COMPAT_STDINT_H

#include <linux/limits.h>
#include <linux/types.h>

#ifndef UINT32_MAX
#define UINT32_MAX U32_MAX
#endif
#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif

#endif /* XSC_COMPAT_STDINT_H */
