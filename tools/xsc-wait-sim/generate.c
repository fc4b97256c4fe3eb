/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define PI 3.14159265358979323846
#define MAX_PARAMETERS 6
#define MAX_N 10000000u

/* splitmix64: small, and the same everywhere. */
struct random {
    uint64_t state;
};

static uint64_t next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In (0, 1]: a logarithm of it exists. */
static double uniform(struct random *r)
{
    return ((double)(next(r) >> 11) + 1) / 9007199254740992.0;
}

static double normal(struct random *r)
{
    const double radius = sqrt(-2 * log(uniform(r)));

    return radius * cos(2 * PI * uniform(r));
}

static double exponential(struct random *r, double mean)
{
    return -mean * log(uniform(r));
}

/* One wait of each kind; p: its parameters; i of n: where in the sequence; k: its state. */
struct maker {
    struct random r;
    double p[MAX_PARAMETERS];
    size_t i, n;
    double k;
};

static double fixed(struct maker *m)
{
    return m->p[0];
}

static double jitter(struct maker *m)
{
    return m->p[0] * (1 + m->p[1] / 100 * normal(&m->r));
}

static double exponential_wait(struct maker *m)
{
    return exponential(&m->r, m->p[0]);
}

static double bimodal(struct maker *m)
{
    const double mode = uniform(&m->r) * 100 <= m->p[2] ? m->p[1] : m->p[0];

    return mode * (1 + 0.1 * normal(&m->r));
}

static double heavy(struct maker *m)
{
    return m->p[0] / pow(uniform(&m->r), 1 / m->p[1]);
}

/* Two states, each with its own mean; a state lasts p[2] waits in the mean. */
static double bursty(struct maker *m)
{
    if (uniform(&m->r) * m->p[2] <= 1) {
        m->k = 1 - m->k;
    }
    return exponential(&m->r, m->k > 0 ? m->p[1] : m->p[0]);
}

static double drift(struct maker *m)
{
    const double at = (double)m->i / (double)m->n;

    return m->p[0] * pow(m->p[1] / m->p[0], at) * (1 + m->p[2] / 100 * normal(&m->r));
}

static double step(struct maker *m)
{
    const double level = m->i * 2 < m->n ? m->p[0] : m->p[1];

    return level * (1 + m->p[2] / 100 * normal(&m->r));
}

/* Each wait near the previous one's length times a ratio, or back: order matters. */
static double alternating(struct maker *m)
{
    m->k = 1 - m->k;
    return m->p[m->k > 0 ? 0 : 1] * (1 + m->p[2] / 100 * normal(&m->r));
}

struct kind {
    const char *name;
    double (*make)(struct maker *m);
    int parameters;
    double standard[MAX_PARAMETERS];
};

static const struct kind kinds[] = {
    {"fixed", fixed, 1, {60000}},
    {"jitter", jitter, 2, {250000, 10}},
    {"exponential", exponential_wait, 1, {50000}},
    {"bimodal", bimodal, 3, {5000, 500000, 30}},
    {"heavy", heavy, 2, {5000, 1.1}},
    {"bursty", bursty, 3, {5000, 500000, 50}},
    {"drift", drift, 3, {20000, 2000000, 10}},
    {"step", step, 3, {20000, 400000, 10}},
    {"alternating", alternating, 3, {10000, 200000, 10}},
};

const char *xsc_trace_kinds(void)
{
    return "fixed[:NS] jitter[:PERIOD[:PERCENT]] exponential[:MEAN] bimodal[:NS[:NS[:PERCENT]]] "
           "heavy[:MIN[:ALPHA]] bursty[:MEAN[:MEAN[:WAITS]]] drift[:FROM[:TO[:PERCENT]]] "
           "step[:FROM[:TO[:PERCENT]]] alternating[:NS[:NS[:PERCENT]]], each [:nN][:sSEED]";
}

static const struct kind *find(const char *spec, size_t length)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strlen(kinds[i].name) == length && !strncmp(kinds[i].name, spec, length)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static int refuse(const char *spec, const char *what)
{
    fprintf(stderr, "xsc-wait-sim: --generate %s: %s\n", spec, what);
    return -1;
}

/* A positive number up to the longest wait; moves *s past it. */
static int number(const char **s, double *v)
{
    char *end;

    if (**s < '0' || **s > '9') {
        return -1;
    }
    *v = strtod(*s, &end);
    *s = end;
    return *v > 0 && *v <= (double)XSC_TRACE_MAX_NS && (!*end || *end == ':') ? 0 : -1;
}

static int parameters(const char *spec, const char *s, const struct kind *kind, struct maker *m)
{
    int given = 0;

    while (*s == ':') {
        double v;

        s++;
        const char what = *s;

        if (what == 'n' || what == 's') {
            s++;
        }
        if (number(&s, &v)) {
            return refuse(spec, "a parameter is no number, or out of range");
        }
        if (what == 'n') {
            if (v > MAX_N || v < 1) {
                return refuse(spec, "from 1 to 10,000,000 waits");
            }
            m->n = (size_t)v;
        } else if (what == 's') {
            m->r.state = (uint64_t)v;
        } else if (given == kind->parameters) {
            return refuse(spec, "more parameters than this kind has");
        } else {
            m->p[given++] = v;
        }
    }
    return *s ? refuse(spec, "parameters are separated by ':'") : 0;
}

int xsc_trace_generate(struct xsc_trace *t, const char *spec)
{
    const size_t length = strcspn(spec, ":");
    const struct kind *kind = find(spec, length);
    struct maker m = {.r = {1}, .n = 20000};

    *t = (struct xsc_trace){0};
    if (!kind) {
        return refuse(spec, "unknown kind; see --help");
    }
    memcpy(m.p, kind->standard, sizeof(m.p));
    if (parameters(spec, spec + length, kind, &m)) {
        return -1;
    }
    t->name = strdup(spec);
    if (!t->name) {
        return refuse(spec, "out of memory");
    }
    for (m.i = 0; m.i < m.n; m.i++) {
        const double v = kind->make(&m);

        if (xsc_trace_add(t, v < 0                          ? 0
                             : v > (double)XSC_TRACE_MAX_NS ? XSC_TRACE_MAX_NS
                                                            : (uint64_t)v)) {
            return -1;
        }
    }
    return 0;
}
