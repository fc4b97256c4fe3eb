/* SPDX-License-Identifier: MIT */
#include "bench/notify.h"

#include <stddef.h>

bench_notify_loop *bench_notify_std_atomic(int release)
{
    (void)release;
    return NULL;
}
