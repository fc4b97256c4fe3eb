/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* bool, true and false are the kernel's own. */
#ifndef XSC_COMPAT_STDBOOL_H
#define XSC_COMPAT_STDBOOL_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif /* XSC_COMPAT_STDBOOL_H */
