/* SPDX-License-Identifier: MIT */
/* core/wait.h - the life of one wait; see core/wait.c */
#ifndef XSC_CORE_WAIT_H
#define XSC_CORE_WAIT_H

#include <stdint.h>

#include <xsc/watch.h>

struct xsc_engine;

enum xsc_end {
    XSC_MET,       /* the condition held of a value loaded with acquire ordering */
    XSC_TIMED_OUT, /* it never did, and timeout_ns have passed */
};

/* The watch must be valid (xsc_watch_valid). asked: see xsc_engine_choose(). */
enum xsc_end xsc_core_wait(struct xsc_engine *e, const struct xsc_watch *w, uint64_t timeout_ns,
                           const char *(*asked)(void));

#endif /* XSC_CORE_WAIT_H */
