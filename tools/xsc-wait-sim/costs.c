/* SPDX-License-Identifier: MIT */
#include "costs.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(XSC_SIM_JSON)
#include <cjson/cJSON.h>
#endif

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

/* What was not measured is taken to be like what was; `line`: where a complaint points. */
static int complete(struct xsc_costs *c, const char *name, unsigned line, const bool seen[KEYS])
{
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

/* ---- the probe's JSON ---- */

static bool is_json(FILE *f)
{
    int c;

    do {
        c = getc(f);
    } while (c == ' ' || c == '\t' || c == '\n' || c == '\r');
    rewind(f);
    return c == '{';
}

#if defined(XSC_SIM_JSON)

#define JSON_MAX (1u << 20) /* a report is some 10 KB */

/* Names that differ from those of a costs file. */
static const char *json_key(size_t key)
{
    return key == NAP_LATENCY ? "nap_late_ns" : keys[key].name;
}

static const cJSON *costs_in(const cJSON *report)
{
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(report, "machine"),
                                            "leaving_the_cpu");
}

static int read_numbers(struct xsc_costs *c, const char *name, const cJSON *costs)
{
    bool seen[KEYS] = {false};

    if (!cJSON_IsObject(costs)) {
        return complain(
            name, 1,
            "no \"machine\" with \"leaving_the_cpu\": not a report of xsc-wait-probe --json");
    }
    for (size_t k = 0; k < KEYS; k++) {
        const cJSON *ns = cJSON_GetObjectItemCaseSensitive(costs, json_key(k));

        if (!ns) {
            continue;
        }
        if (!cJSON_IsNumber(ns) || !(ns->valuedouble >= 0 && ns->valuedouble <= XSC_COST_MAX)) {
            return complain(name, 1, "leaving_the_cpu: not a number of ns up to 100,000,000");
        }
        seen[k] = true;
        *value(c, k) = (uint32_t)ns->valuedouble;
    }
    return complete(c, name, 1, seen);
}

static int read_json(struct xsc_costs *c, const char *name, FILE *f)
{
    char *text = malloc(JSON_MAX + 1);
    const size_t n = text ? fread(text, 1, JSON_MAX, f) : 0;
    int err;

    if (!text || ferror(f)) {
        err = complain(name, 1, strerror(errno));
    } else {
        text[n] = '\0';
        cJSON *report = cJSON_Parse(text);

        err = report ? read_numbers(c, name, costs_in(report))
                     : complain(name, 1, "not JSON, or more than 1 MiB of it");
        cJSON_Delete(report);
    }
    free(text);
    return err;
}

#else

static int read_json(struct xsc_costs *c, const char *name, FILE *f)
{
    (void)c;
    (void)f;
    return complain(name, 1, "JSON, and this xsc-wait-sim was built without it (XSC_JSON=OFF)");
}

#endif

/* ---- a costs file ---- */

static int read_file(struct xsc_costs *c, const char *name, FILE *f)
{
    bool seen[KEYS] = {false};
    char text[256];
    unsigned line = 0;

    if (is_json(f)) {
        return read_json(c, name, f);
    }

    while (fgets(text, sizeof(text), f)) {
        if (parse_line(c, name, ++line, text, seen)) {
            return -1;
        }
    }
    if (ferror(f)) {
        return complain(name, line + 1, strerror(errno));
    }
    return complete(c, name, line, seen);
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
