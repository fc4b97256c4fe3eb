/* SPDX-License-Identifier: MIT */
/*
 * The environment. What is read when, and what becomes of a bad value, is in user/config.h.
 *
 * Not secure_getenv(): glibc, musl and some BSDs have it, others do not, and a library that is
 * compiled without a configure step can't tell. What it asks is asked here.
 */
#define _GNU_SOURCE
#include "user/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/auxv.h>
#endif

#include "core/costs.h"
#include "core/port.h"

#if defined(__linux__)
#define MORE_RIGHTS() by_kernel()
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__) || defined(__sun)
#define MORE_RIGHTS() (issetugid() != 0)
#else
#define MORE_RIGHTS() by_identity()
#endif

/* Right until the program gives its rights up, no longer: for systems with nothing better. */
#if !defined(__APPLE__) && !defined(__FreeBSD__) && !defined(__NetBSD__) &&                        \
    !defined(__OpenBSD__) && !defined(__DragonFly__) && !defined(__sun)
static bool by_identity(void)
{
    return getuid() != geteuid() || getgid() != getegid();
}
#endif

#if defined(__linux__)
/* The kernel's word on the execve(2) that began this program: every libc passes it on. */
static bool by_kernel(void)
{
    const int saved = errno;

    errno = 0;
    const bool more = getauxval(AT_SECURE) != 0;
    const bool unknown = !more && errno == ENOENT;

    errno = saved;
    return unknown ? by_identity() : more;
}
#endif

/* NULL where it is unset, empty or not to be trusted. */
static const char *variable(const char *name)
{
    const char *value = MORE_RIGHTS() ? NULL : getenv(name);

    return value && *value ? value : NULL;
}

struct setting {
    const char *name;
    struct {
        const char *text;
        uint32_t value;
    } known[4]; /* an empty place: no more */
    uint32_t otherwise;
    const char *line; /* for a value that is none of them */
    uint32_t *reported;
};

/* False: a bad value; *value is the default. */
static bool read_setting(const struct setting *s, uint32_t *value)
{
    const char *asked = variable(s->name);

    *value = s->otherwise;
    if (!asked) {
        return true;
    }
    for (size_t i = 0; i < sizeof(s->known) / sizeof(s->known[0]) && s->known[i].text; i++) {
        if (!strcmp(asked, s->known[i].text)) {
            *value = s->known[i].value;
            return true;
        }
    }
    if (!__atomic_exchange_n(s->reported, 1, __ATOMIC_RELAXED)) {
        xsc_port_say(s->line);
    }
    return false;
}

/* Whether each line was written. */
static struct {
    uint32_t prefer, park, idle;
} reported;

const char *xsc_config_mechanism(void)
{
    return variable("XSC_MECHANISM");
}

uint32_t xsc_config_weight(void)
{
    const struct setting prefer = {
        .name = "XSC_PREFER",
        .known = {{"latency", XSC_WEIGHT_LATENCY},
                  {"balanced", XSC_WEIGHT_BALANCED},
                  {"cpu", XSC_WEIGHT_CPU}},
        .otherwise = XSC_WEIGHT_BALANCED,
        .line = "xsc-wait: XSC_PREFER is neither latency, balanced nor cpu; using balanced",
        .reported = &reported.prefer,
    };
    uint32_t weight;

    read_setting(&prefer, &weight);
    return weight;
}

enum xsc_park_barrier xsc_config_park(void)
{
    const struct setting park = {
        .name = "XSC_PARK",
        .known = {{"auto", XSC_PARK_AUTO},
                  {"seqcst", XSC_PARK_SEQ_CST},
                  {"seq_cst", XSC_PARK_SEQ_CST}},
        .otherwise = XSC_PARK_AUTO,
        .line = "xsc-wait: XSC_PARK is neither auto nor seqcst; using auto",
        .reported = &reported.park,
    };
    uint32_t barrier;

    read_setting(&park, &barrier);
    return (enum xsc_park_barrier)barrier;
}

bool xsc_config_idle_us(uint32_t *us)
{
    const struct setting idle = {
        .name = "XSC_IDLE_SLEEP",
        .known = {{"0", 0}, {"50", 50}, {"100", 100}, {"200", 200}},
        .otherwise = 0,
        .line = "idle governor: off: XSC_IDLE_SLEEP is 0 (off), 50, 100 or 200 us, nothing else",
        .reported = &reported.idle,
    };

    return read_setting(&idle, us);
}

#if defined(XSC_TESTING)
const char *xsc_config_test_features(void)
{
    return variable("XSC_TEST_FEATURES");
}
#endif
