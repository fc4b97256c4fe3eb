/* SPDX-License-Identifier: MIT */
/*
 * fuzz_trace.c - files that xsc-wait-sim reads: traces, plain or gzip, and costs; and made-up traces
 *
 * The first byte says which. A plain trace is read by a second reader, too, of some lines.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tools/xsc-wait-sim/costs.h"
#include "tools/xsc-wait-sim/trace.h"

static const char *file_of(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char name[64];

    if (fd < 0) {
        fd = memfd_create("input", MFD_CLOEXEC);
        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) {
        abort();
    }
    return name;
}

/* What a plain trace says: how many waits and their sum; -1: it is bad. */
static long read_plain(const uint8_t *data, size_t size, uint64_t *sum)
{
    long n = 0;

    for (size_t i = 0; i < size;) {
        size_t end = i, digits = 0;
        uint64_t v = 0;

        while (end < size && data[end] != '\n') {
            end++;
        }
        const size_t length = end + (end < size) - i;

        while (i < end && (data[i] == ' ' || data[i] == '\t')) {
            i++;
        }
        const bool cr = i < end && data[i] == '\r'; /* blank only if nothing follows */
        size_t j = i;

        while (j < end && (data[j] == ' ' || data[j] == '\t' || data[j] == '\r')) {
            j++;
        }
        if (j == end || data[j] == '#') {
            if (length > 100 || memchr(&data[i], 0, end - i)) {
                return -2; /* how long lines are cut is the reader's affair */
            }
            i = end + 1;
            continue;
        }
        for (j = i; j < end && data[j] >= '0' && data[j] <= '9'; j++, digits++) {
            v = v > XSC_TRACE_MAX_NS ? v : v * 10 + (uint64_t)(data[j] - '0');
        }
        while (j < end && (data[j] == ' ' || data[j] == '\t' || data[j] == '\r')) {
            j++;
        }
        if (length > 40) {
            return -2;
        }
        if (cr || !digits || j != end || v > XSC_TRACE_MAX_NS) {
            return -1;
        }
        n++;
        *sum += v;
        i = end + 1;
    }
    return n ? n : -1;
}

static void try_trace(const uint8_t *data, size_t size)
{
    struct xsc_trace t;
    const int err = xsc_trace_read(&t, file_of(data, size));
    uint64_t sum = 0, expected_sum = 0;

    MUST(err == 0 || err == -1);
    for (size_t i = 0; i < t.n; i++) {
        MUST(t.ns[i] <= XSC_TRACE_MAX_NS);
        sum += t.ns[i];
    }
    if (size < 2 || data[0] != 0x1f || data[1] != 0x8b) {
        const long expected = read_plain(data, size, &expected_sum);

        MUST(expected == -2 || err == (expected < 0 ? -1 : 0));
        MUST(expected < 0 || (t.n == (size_t)expected && sum == expected_sum));
    }
    xsc_trace_free(&t);
}

static void try_costs(const uint8_t *data, size_t size)
{
    struct xsc_costs c = {.weight = 17};

    if (!xsc_costs_read(&c, file_of(data, size))) {
        MUST(c.park_cpu_ns <= XSC_COST_MAX && c.park_latency_ns <= XSC_COST_MAX);
        MUST(c.nap_cpu_ns && c.nap_cpu_ns <= XSC_COST_MAX && c.nap_latency_ns <= XSC_COST_MAX);
        MUST(c.nap_jitter_ns <= XSC_COST_MAX && c.watch_latency_ns <= XSC_COST_MAX);
        MUST(c.park_cpu_ns || c.park_latency_ns);
        MUST(c.weight == 17 && c.doze_ns == 0);
    }
}

static void try_generated(const uint8_t *data, size_t size)
{
    struct xsc_trace t;
    char *spec = strndup((const char *)data, size);

    /* Long ones take long, and prove no more. */
    for (const char *n = spec; (n = strstr(n, ":n")) != NULL; n++) {
        if (strspn(n + 2, "0123456789.") > 4 || strpbrk(n + 2, "eExXpP")) {
            free(spec);
            return;
        }
    }
    char *full = NULL;

    if (asprintf(&full, "%s%s", spec, strstr(spec, ":n") ? "" : ":n50") < 0) {
        abort();
    }
    if (!xsc_trace_generate(&t, full)) {
        MUST(t.n >= 1 && t.n <= 10000);
        for (size_t i = 0; i < t.n; i++) {
            MUST(t.ns[i] <= XSC_TRACE_MAX_NS);
        }
    }
    xsc_trace_free(&t);
    free(full);
    free(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size) {
        switch (data[0] % 3) {
        case 0:
            try_trace(data + 1, size - 1);
            break;
        case 1:
            try_costs(data + 1, size - 1);
            break;
        default:
            try_generated(data + 1, size - 1);
        }
    }
    return 0;
}
