/* SPDX-License-Identifier: MIT */
/* bench/notify.h - loops of "store, then notify the waiters", for the question notify */
#ifndef XSC_BENCH_NOTIFY_H
#define XSC_BENCH_NOTIFY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stores n times to an 8-byte word of the loop's own, and notifies each time. No thread waits. */
typedef void bench_notify_loop(uint32_t n);

/* bench/peers/std_atomic.cpp and ck_ec.c; NULL where they were not built. */
bench_notify_loop *bench_notify_std_atomic(int release);
bench_notify_loop *bench_notify_ck_ec(void);

/* What a loop's function looks like: begins where a cache line does, so that none is lucky. */
#define BENCH_NOTIFY_LOOP __attribute__((noinline, aligned(64)))

/* The compiler must believe that the pointer may be another one every time. */
#define BENCH_LAUNDER(p) __asm__ __volatile__("" : "+r"(p))

#ifdef __cplusplus
}
#endif

#endif /* XSC_BENCH_NOTIFY_H */
