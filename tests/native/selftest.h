/* SPDX-License-Identifier: MIT */
/* selftest.h - the parts of the self test */
#ifndef XSC_SELFTEST_H
#define XSC_SELFTEST_H

#include "harness.h"

void selftest_api(void);
void selftest_threads(void);
void selftest_signals(void);
void selftest_processes(void);
void selftest_confined(void);

#endif /* XSC_SELFTEST_H */
