/* SPDX-License-Identifier: MIT */
/* The public functions: arguments checked, errno values made, everything else is core's. */
#define _GNU_SOURCE
#include "user/library.h"

#include <errno.h>

#include <xsc/wait.h>

#include "core/costs.h"
#include "core/wait.h"
#include "user/config.h"

struct xsc_engine xsc_library;

/* C99 inline: these make the external definitions, for callers that can't inline. */
#define XSC_EMIT(bits, type)                                                                       \
    extern inline int xsc_wait_u##bits(const volatile type *, type, uint64_t);
XSC_EMIT(8, uint8_t)
XSC_EMIT(16, uint16_t)
XSC_EMIT(32, uint32_t)
XSC_EMIT(64, uint64_t)
#undef XSC_EMIT

const char *xsc_set_up_by_environment(void)
{
    /* A process that prefers latency gets it, at the price of a CPU. */
    __atomic_store_n(&xsc_library.naps, xsc_config_weight() != XSC_WEIGHT_LATENCY,
                     __ATOMIC_RELAXED);
    return xsc_config_mechanism();
}

int xsc_wait_slow(const struct xsc_watch *watch, uint64_t timeout_ns)
{
    if (!watch || !xsc_watch_valid(watch)) {
        return -EINVAL;
    }
    return xsc_core_wait(&xsc_library, watch, timeout_ns, xsc_set_up_by_environment) == XSC_MET
               ? 0
               : -ETIMEDOUT;
}

int xsc_wait_any(const struct xsc_watch *watches, size_t n, uint64_t timeout_ns)
{
    uint32_t which = 0;

    if (!watches || !n || n > INT32_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!xsc_watch_valid(&watches[i])) {
            return -EINVAL;
        }
    }
    return xsc_core_wait_any(&xsc_library, watches, (uint32_t)n, timeout_ns,
                             xsc_set_up_by_environment, &which) == XSC_MET
               ? (int)which
               : -ETIMEDOUT;
}

int xsc_init(const struct xsc_config *config)
{
    if (config && config->size != sizeof(*config)) {
        return -EINVAL;
    }
    const char *by_environment = xsc_set_up_by_environment();
    const char *asked = config && config->mechanism ? config->mechanism : by_environment;

    switch (xsc_engine_choose(&xsc_library, asked)) {
    case XSC_CHOSE:
        return 0;
    case XSC_CHOSE_OTHER:
        return -ENOTSUP;
    case XSC_CHOSE_UNKNOWN:
        return -EINVAL;
    case XSC_CHOSE_EARLIER:
        return -EALREADY;
    case XSC_CHOSE_BUSY:
        break;
    }
    return -EBUSY;
}

int xsc_library_ready(void)
{
    if (!__atomic_load_n(&xsc_library.chosen, __ATOMIC_ACQUIRE)) {
        xsc_engine_choose(&xsc_library, xsc_set_up_by_environment());
    }
    return __atomic_load_n(&xsc_library.chosen, __ATOMIC_ACQUIRE) ? 0 : -EBUSY;
}

const char *xsc_version(void)
{
    return XSC_VERSION;
}
