/* SPDX-License-Identifier: MIT */
/*
 * What a transaction has read, it watches: a store by another CPU to any line of it aborts it
 * (Intel SDM vol. 1, "Programming with Intel TSX"). PAUSE and UMWAIT abort it as well, so nothing
 * rests here; and every interrupt does, so the loop starts again.
 */
#include "bench/peers/rtm.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define TRIES 1000
#define RTM_BIT (1u << 11) /* CPUID.(7,0):EBX */

__attribute__((target("rtm"))) bool bench_rtm_works(void)
{
    unsigned a, b, c, d;

    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & RTM_BIT)) {
        return false;
    }
    for (int i = 0; i < TRIES; i++) {
        if (_xbegin() == _XBEGIN_STARTED) {
            _xend();
            return true;
        }
    }
    return false;
}

__attribute__((target("rtm"))) void bench_rtm_wait(bool (*changed)(const void *arg),
                                                   const void *arg)
{
    while (!changed(arg)) {
        if (_xbegin() == _XBEGIN_STARTED) {
            if (changed(arg)) {
                _xend();
                return;
            }
            for (;;) {
                __asm__ volatile("nop");
            }
        }
    }
}

#else

bool bench_rtm_works(void)
{
    return false;
}

void bench_rtm_wait(bool (*changed)(const void *arg), const void *arg)
{
    while (!changed(arg)) {
    }
}

#endif
