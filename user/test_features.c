/* SPDX-License-Identifier: MIT */
/*
 * Builds for tests only (XSC_TESTING): XSC_TEST_FEATURES="waitpkg,-monitorx,..." adds and
 * takes away features, so that a test that emulates an instruction can have it found.
 */
#define _GNU_SOURCE
#include <string.h>

#include "core/cpu.h"
#include "user/config.h"
#include "user/library.h"

static const struct {
    const char *name;
    uint32_t bit;
} features[] = {
    {"waitpkg", XSC_HAS_WAITPKG}, {"monitorx", XSC_HAS_MONITORX},
    {"evtstrm", XSC_HAS_EVTSTRM}, {"wfxt", XSC_HAS_WFXT},
    {"zawrs", XSC_HAS_ZAWRS},     {"zihintpause", XSC_HAS_ZIHINTPAUSE},
};

void xsc_test_features(struct xsc_cpu *cpu)
{
    const char *list = xsc_config_test_features();

    for (const char *p = list; p && *p;) {
        const size_t n = strcspn(p, ",");
        const int off = *p == '-';

        for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
            if (n - (size_t)off == strlen(features[i].name) &&
                !memcmp(p + off, features[i].name, n - (size_t)off)) {
                cpu->has = off ? cpu->has & ~features[i].bit : cpu->has | features[i].bit;
            }
        }
        p += n + (p[n] == ',');
    }
}
