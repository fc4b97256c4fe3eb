/* SPDX-License-Identifier: MIT */
/* The idle governor; see xsc/idle.h. */
#include <xsc/idle.h>

#define NS_PER_S 1000000000u
#define BOOT_NS ((uint64_t)XSC_IDLE_BOOT_S * NS_PER_S)

void xsc_idle_init(struct xsc_idle *idle, uint64_t max_sleep_ns, uint64_t now_ns)
{
    *idle = (struct xsc_idle){
        .max_sleep_ns = max_sleep_ns,
        .ready_ns = now_ns < UINT64_MAX - BOOT_NS ? now_ns + BOOT_NS : UINT64_MAX,
    };
}

void xsc_idle_on_activity(struct xsc_idle *idle)
{
    idle->waits = 0;
}

uint64_t xsc_idle_on_wait(struct xsc_idle *idle, uint64_t now_ns, bool has_work)
{
    /* A clock that went back gives a huge gap: the row ends, which is the safe side. */
    if (has_work || now_ns - idle->last_ns > XSC_IDLE_GAP_NS) {
        idle->waits = 0;
    }
    idle->last_ns = now_ns;
    if (has_work) {
        return 0;
    }
    idle->waits += idle->waits <= XSC_IDLE_HALF;
    if (idle->waits <= XSC_IDLE_NO_SLEEP || now_ns < idle->ready_ns) {
        return 0;
    }
    if (idle->waits <= XSC_IDLE_TENTH) {
        return idle->max_sleep_ns / 10;
    }
    if (idle->waits <= XSC_IDLE_QUARTER) {
        return idle->max_sleep_ns / 4;
    }
    return idle->waits <= XSC_IDLE_HALF ? idle->max_sleep_ns / 2 : idle->max_sleep_ns;
}
