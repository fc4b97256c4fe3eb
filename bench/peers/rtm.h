/* SPDX-License-Identifier: MIT */
/* bench/peers/rtm.h - a wait by an RTM transaction that has read the awaited words */
#ifndef XSC_BENCH_RTM_H
#define XSC_BENCH_RTM_H

#include <stdbool.h>

/* Whether this CPU has RTM and a transaction that only reads commits now and then. */
bool bench_rtm_works(void);

/* Returns once changed(arg), which only loads. */
void bench_rtm_wait(bool (*changed)(const void *arg), const void *arg);

#endif /* XSC_BENCH_RTM_H */
