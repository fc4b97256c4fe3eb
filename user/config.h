/* SPDX-License-Identifier: MIT */
/*
 * user/config.h - what the environment asks for: the only file that reads it
 *
 *     variable         values                          default    read
 *     XSC_MECHANISM    a mechanism's name, any case    the best   once, before the choice
 *     XSC_PREFER       latency, balanced, cpu          balanced   before the choice (whether plain
 *                                                                 waits nap), and once more when
 *                                                                 the costs are measured (weights)
 *     XSC_PARK         auto, seqcst (or seq_cst)       auto       once, when the barrier is decided
 *     XSC_IDLE_SLEEP   0, 50, 100, 200 (us)            0          by each xsc_idle_asked()
 *
 * Unset and empty mean the default. A value that is not in the list means the default as well, and
 * is reported by one line on standard error, once a process and variable. (Which mechanisms there
 * are is core's to know: it reports a bad XSC_MECHANISM itself, once, with the choice.)
 *
 * Each function reads its variable when it is called, sets nothing, and keeps nothing but that its
 * line was written: what a caller does with the answer, and how long it keeps it, is the caller's.
 *
 * In a program that runs with more rights than its user has (set-user-ID, set-group-ID, file
 * capabilities) the environment is that user's to write, and is ignored, without a line.
 *
 * As thread-safe as getenv() is: not while another thread changes the environment.
 */
#ifndef XSC_USER_CONFIG_H
#define XSC_USER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <xsc/park.h>

/* The mechanism asked for; NULL: none. */
const char *xsc_config_mechanism(void);

/* A weight of core/costs.h. */
uint32_t xsc_config_weight(void);

/* XSC_PARK_AUTO or XSC_PARK_SEQ_CST. */
enum xsc_park_barrier xsc_config_park(void);

/* The idle governor's longest nap in us, 0 for none. False: a bad value; *us is 0. */
bool xsc_config_idle_us(uint32_t *us);

#if defined(XSC_TESTING)
/* XSC_TEST_FEATURES, or NULL: see user/test_features.c. */
const char *xsc_config_test_features(void);
#endif

#endif /* XSC_USER_CONFIG_H */
