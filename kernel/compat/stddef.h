/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* NULL and size_t are the kernel's own. */
#ifndef XSC_COMPAT_STDDEF_H
#define XSC_COMPAT_STDDEF_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif /* XSC_COMPAT_STDDEF_H */
