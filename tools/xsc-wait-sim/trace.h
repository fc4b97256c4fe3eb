/* SPDX-License-Identifier: MIT */
/* trace.h - a sequence of waits, read from a file or made up */
#ifndef XSC_SIM_TRACE_H
#define XSC_SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* No wait is longer: about 11 days. Keeps every sum in the tool far from overflow. */
#define XSC_TRACE_MAX_NS 1000000000000000ull

struct xsc_trace {
    char *name;
    uint64_t *ns; /* the waits, in order */
    size_t n;
};

/* What complaints begin with: "xsc-wait-sim", unless set. */
extern const char *xsc_trace_program;

/*
 * Reads a trace: one wait a line, in ns; empty lines and lines that begin with '#' are
 * skipped; plain or gzip; "-" is standard input. Returns 0, or -1 after one line on
 * stderr that names the file, the line and what is wrong with it.
 */
int xsc_trace_read(struct xsc_trace *t, const char *path);

/*
 * Makes one up: KIND[:PARAMETERS...][:nN][:sSEED]; xsc_trace_kinds() explains. Returns 0,
 * or -1 after one line on stderr.
 */
int xsc_trace_generate(struct xsc_trace *t, const char *spec);
const char *xsc_trace_kinds(void);

/* Appends one wait. Returns 0, or -1 where memory is short (said on stderr). */
int xsc_trace_add(struct xsc_trace *t, uint64_t ns);
void xsc_trace_free(struct xsc_trace *t);

#endif /* XSC_SIM_TRACE_H */
