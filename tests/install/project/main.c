/* SPDX-License-Identifier: MIT */
/* A user's program: every header, an inline wait, a slow one, and the function itself. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include <xsc/probe.h>
#include <xsc/stats.h>
#include <xsc/wait.h>

int main(void)
{
    static _Atomic uint32_t tail = 1;
    static uint64_t flag;
    int (*const not_inlined)(const volatile uint64_t *, uint64_t, uint64_t) = xsc_wait_u64;
    struct xsc_stats stats;

    if (xsc_wait(&tail, 0, XSC_FOREVER) != 0 || xsc_wait(&flag, 0, 100000) != -ETIMEDOUT ||
        not_inlined(&flag, 1, 0) != 0 || xsc_stats_read(&stats, sizeof(stats)) != 0 ||
        stats.timeouts != 1) {
        fputs("a wait went wrong\n", stderr);
        return 1;
    }
    printf("xsc-wait %s\n", xsc_version());
    return 0;
}
