/* SPDX-License-Identifier: MIT */
/* user/library.h - what the files of the user-space library share */
#ifndef XSC_USER_LIBRARY_H
#define XSC_USER_LIBRARY_H

#include <stddef.h>

#include "core/mechanism.h"

/* The one engine of this process. */
extern struct xsc_engine xsc_library;

/*
 * Before the choice: sets what the engine does as the environment asks (whether plain waits nap),
 * and returns the mechanism that it asks for, or NULL. Sets the same whenever it is called.
 */
const char *xsc_set_up_by_environment(void);

/* Chooses if nothing has been chosen yet. Returns 0, or -EBUSY. */
int xsc_library_ready(void);

/*
 * A wait is no cancellation point, but opening a file, writing a line or sleeping is: these
 * brackets go around such calls.
 */
int xsc_no_cancel(void);
void xsc_cancel_as(int before);

/* strncpy that always ends in a NUL. */
void xsc_copy_text(char *to, size_t size, const char *from);

#if defined(XSC_TESTING)
/* Builds for tests only: adds the features named in XSC_TEST_FEATURES to what was found. */
void xsc_test_features(struct xsc_cpu *cpu);
#endif

#endif /* XSC_USER_LIBRARY_H */
