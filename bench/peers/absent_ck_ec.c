/* SPDX-License-Identifier: MIT */
#include "bench/notify.h"

#include <stddef.h>

bench_notify_loop *bench_notify_ck_ec(void)
{
    return NULL;
}
