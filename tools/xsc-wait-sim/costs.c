/* SPDX-License-Identifier: MIT */
#include "costs.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} keys[] = {
    {"park_cpu_ns", offsetof(struct xsc_costs, park_cpu_ns)},
    {"park_latency_ns", offsetof(struct xsc_costs, park_latency_ns)},
    {"nap_cpu_ns", offsetof(struct xsc_costs, nap_cpu_ns)},
    {"nap_latency_ns", offsetof(struct xsc_costs, nap_latency_ns)},
    {"nap_jitter_ns", offsetof(struct xsc_costs, nap_jitter_ns)},
    {"watch_latency_ns", offsetof(struct xsc_costs, watch_latency_ns)},
};

enum { PARK_CPU, PARK_LATENCY, NAP_CPU, NAP_LATENCY, KEYS = sizeof(keys) / sizeof(keys[0]) };

static uint32_t *value(struct xsc_costs *c, size_t key)
{
    return (uint32_t *)(void *)((char *)c + keys[key].offset);
}

static int complain(const char *name, unsigned line, const char *what)
{
    fprintf(stderr, "xsc-wait-sim: %s:%u: %s\n", name, line, what);
    return -1;
}

static int parse_line(struct xsc_costs *c, const char *name, unsigned line, const char *text,
                      bool seen[KEYS])
{
    char key[32], ns[16], more;

    if (sscanf(text, " %c", &more) != 1 || more == '#') {
        return 0;
    }
    if (sscanf(text, " %31s %15s %c", key, ns, &more) != 2) {
        return complain(name, line, "not \"key ns\"");
    }
    for (size_t k = 0; k < KEYS; k++) {
        uint32_t v = 0;

        if (strcmp(keys[k].name, key)) {
            continue;
        }
        if (seen[k]) {
            return complain(name, line, "said twice");
        }
        for (const char *s = ns; *s; s++) {
            if (*s < '0' || *s > '9' || (v = v * 10 + (uint32_t)(*s - '0')) > XSC_COST_MAX) {
                return complain(name, line, "not a number of ns up to 100,000,000");
            }
        }
        seen[k] = true;
        *value(c, k) = v;
        return 0;
    }
    return complain(name, line, "unknown key; see xsc-wait-sim(1)");
}

static int read_file(struct xsc_costs *c, const char *name, FILE *f)
{
    bool seen[KEYS] = {false};
    char text[256];
    unsigned line = 0;

    while (fgets(text, sizeof(text), f)) {
        if (parse_line(c, name, ++line, text, seen)) {
            return -1;
        }
    }
    if (ferror(f)) {
        return complain(name, line + 1, strerror(errno));
    }
    if (!seen[PARK_CPU] || !seen[PARK_LATENCY]) {
        return complain(name, line, "park_cpu_ns and park_latency_ns must be given");
    }
    if (!seen[NAP_CPU]) {
        c->nap_cpu_ns = c->park_cpu_ns;
    }
    if (!seen[NAP_LATENCY]) {
        c->nap_latency_ns = c->park_latency_ns;
    }
    if (!xsc_cost_park(c, 0) || !c->nap_cpu_ns) {
        return complain(name, line, "a park and a nap can't be free");
    }
    return 0;
}

int xsc_costs_read(struct xsc_costs *c, const char *name)
{
    const uint32_t weight = c->weight;
    FILE *f;
    int err;

    if (!strcmp(name, "vm")) {
        *c = (struct xsc_costs)XSC_COSTS_VM;
    } else if (!strcmp(name, "metal")) {
        *c = (struct xsc_costs)XSC_COSTS_METAL;
    } else {
        *c = (struct xsc_costs){.weight = weight};
        f = fopen(name, "r");
        if (!f) {
            fprintf(stderr, "xsc-wait-sim: %s: %s\n", name, strerror(errno));
            return -1;
        }
        err = read_file(c, name, f);
        fclose(f);
        if (err) {
            return err;
        }
    }
    c->weight = weight;
    return 0;
}
