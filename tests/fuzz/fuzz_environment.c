/* SPDX-License-Identifier: MIT */
/* fuzz_environment.c - values of XSC_*, and names of mechanisms */
#include <errno.h>

#include <xsc/nap.h>
#include <xsc/wait.h>

#include "core/costs.h"
#include "tests/fuzz/fuzz.h"
#include "user/config.h"

static void try_idle(const char *value)
{
    uint64_t ns = 1;
    const bool off = !*value || !strcmp(value, "0");
    const bool on = !strcmp(value, "50") || !strcmp(value, "100") || !strcmp(value, "200");

    setenv("XSC_IDLE_SLEEP", value, 1);
    const int err = xsc_idle_asked(&ns);

    MUST(err == (off || on ? 0 : -EINVAL));
    MUST(ns == (on ? strtoull(value, NULL, 10) * 1000 : 0));
}

static void try_settings(const char *value)
{
    setenv("XSC_PREFER", value, 1);
    setenv("XSC_PARK", value, 1);
    setenv("XSC_MECHANISM", value, 1);
    MUST(xsc_config_weight() == (uint32_t)(!strcmp(value, "latency") ? XSC_WEIGHT_LATENCY
                                           : !strcmp(value, "cpu")   ? XSC_WEIGHT_CPU
                                                                     : XSC_WEIGHT_BALANCED));
    MUST(
        xsc_config_park() ==
        (!strcmp(value, "seqcst") || !strcmp(value, "seq_cst") ? XSC_PARK_SEQ_CST : XSC_PARK_AUTO));
    const char *mechanism = xsc_config_mechanism();

    MUST(*value ? mechanism && !strcmp(mechanism, value) : !mechanism);
}

/* Chosen once a process, so this only asks: any name is answered, none is run. */
static void try_mechanism(const char *value)
{
    const struct xsc_config config = {.size = sizeof(config), .mechanism = value};
    const int err = xsc_init(&config);

    MUST(err == 0 || err == -EINVAL || err == -ENOTSUP || err == -EALREADY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size) {
        char *value = malloc(size);

        if (!value) {
            abort();
        }
        memcpy(value, data + 1, size - 1);
        value[size - 1] = '\0';
        if (data[0] % 3 == 0) {
            try_idle(value);
        } else if (data[0] % 3 == 1) {
            try_settings(value);
        } else {
            try_mechanism(value);
        }
        free(value);
    }
    return 0;
}
