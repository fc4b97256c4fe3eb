/* SPDX-License-Identifier: MIT */
/*
 * Sort the waits and keep prefix sums; write c(x) for the number of waits longer than x and
 * s(x) for the sum of those that aren't, w for the weight, B for the cost of a park, l for
 * the cost of noticing by watching. In ns, the plan "watch until S, nap with end E, watch
 * until Q, park" costs in total
 *
 *     s(S) + l (n - c(S)) + c(S) (S + nap_cpu)         up to the nap
 *   + w (E (c(S) - c(E)) - (s(E) - s(S)))              those that end in it wait for its end
 *   + s(Q) - s(E) - E c(E) + c(Q) (Q + B)              watched from E, or parked at Q
 *   + l (c(E) - c(Q))
 *
 * and, where a park is a doze, CPU time in proportion to the sum of T - Q over those longer.
 *
 * Q meets E only in Q >= E, so the best Q for each E is a suffix minimum of
 * s(Q) + c(Q) (Q + B) - l c(Q). S meets E only in w E c(S) and S + nap_latency <= E: seen
 * from E, each S is a line with slope w c(S), so the best S for each E is the lowest of the
 * lines added so far at E: a convex hull, to which lines are added in order of falling
 * slope. Between waits the total is linear in each of S, E and Q, hence the best are at
 * waits, or E is at the soonest end S + nap_latency. With jitter E stands for several ends
 * E_k = E + j_k, over which those terms are averaged, and the candidates are all E with an
 * E_k at a wait.
 */
#include "hindsight.h"

#include <stdlib.h>
#include <string.h>

unsigned xsc_jitter_points(const struct xsc_costs *c)
{
    return c->nap_jitter_ns ? XSC_SIM_JITTER_POINTS : 1;
}

uint64_t xsc_jitter_at(const struct xsc_costs *c, unsigned k)
{
    const uint64_t points = xsc_jitter_points(c);

    /* The middles of equal parts. */
    return c->nap_latency_ns + (uint64_t)c->nap_jitter_ns * (2 * k + 1) / (2 * points);
}

double xsc_wait_cost(const struct xsc_costs *c, const struct xsc_plan *p, uint64_t ns)
{
    const unsigned points = xsc_jitter_points(c);
    double sum = 0;

    for (unsigned k = 0; k < points; k++) {
        sum += (double)xsc_cost_of(c, p, ns, xsc_jitter_at(c, k));
    }
    return sum / (10.0 * points);
}

double xsc_mean_cost(const struct xsc_costs *c, const struct xsc_plan *p, const uint64_t *ns,
                     size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += xsc_wait_cost(c, p, ns[i]);
    }
    return sum / (double)n;
}

/* ---- sorted waits and sums over them ---- */

struct sorted {
    const struct xsc_costs *c;
    size_t n;
    uint64_t *t;    /* sorted waits */
    double *sum;    /* sum[i]: of the first i */
    double *best_q; /* best_q[i]: the least park_at() over Q = t[j], j >= i; [n]: none */
    size_t *arg_q;  /* the j */
    double w, park, notice;
    double doze; /* CPU time per time parked */
};

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* How many waits are at most x. */
static size_t rank(const struct sorted *s, uint64_t x)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (s->t[middle] <= x) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Parking all that are longer than q; r = rank(q). */
static double park_from(const struct sorted *s, uint64_t q, size_t r)
{
    const double longer = (double)(s->n - r);

    return longer * s->park + s->doze * (s->sum[s->n] - s->sum[r] - longer * (double)q);
}

/* The terms with Q; r = rank(Q). */
static double park_at(const struct sorted *s, uint64_t q, size_t r)
{
    const double longer = (double)(s->n - r);

    return s->sum[r] + longer * (double)q - s->notice * longer + park_from(s, q, r);
}

static void fill(struct sorted *s, const uint64_t *ns)
{
    memcpy(s->t, ns, s->n * sizeof(*ns));
    qsort(s->t, s->n, sizeof(*s->t), by_value);
    s->sum[0] = 0;
    for (size_t i = 0; i < s->n; i++) {
        s->sum[i + 1] = s->sum[i] + (double)s->t[i];
    }
    size_t r = s->n; /* of t[i]: past all its equals */

    for (size_t i = s->n; i-- > 0;) {
        if (i + 1 < s->n && s->t[i] != s->t[i + 1]) {
            r = i + 1;
        }
        const double v = park_at(s, s->t[i], r);
        const int better = i + 1 == s->n || v < s->best_q[i + 1];

        s->best_q[i] = better ? v : s->best_q[i + 1];
        s->arg_q[i] = better ? i : s->arg_q[i + 1];
    }
}

/* ---- what follows a nap that is aimed to end at e, soonest ---- */

struct after {
    double cost;    /* all terms but those with S; the least over Q */
    double mean_e;  /* the mean end */
    uint64_t until; /* that Q; 0: park when the nap has ended */
};

static struct after after_nap(const struct sorted *s, uint64_t e)
{
    const unsigned points = xsc_jitter_points(s->c);
    struct after a = {0, 0, 0};
    double watch = 0, leave = 0;
    uint64_t last = e;
    size_t r = 0;

    for (unsigned k = 0; k < points; k++) {
        last = e + xsc_jitter_at(s->c, k) - s->c->nap_latency_ns;
        r = rank(s, last);
        const double end = (double)last, longer = (double)(s->n - r);

        a.mean_e += end / points;
        a.cost += (-s->w * (end * longer + s->sum[r])) / points;
        watch += (-s->sum[r] - end * longer + s->notice * longer) / points;
        leave += park_from(s, last, r) / points;
    }
    double q = park_at(s, last, r);

    a.until = last;
    if (r < s->n && s->best_q[r] < q) {
        q = s->best_q[r];
        a.until = s->t[s->arg_q[r]];
    }
    if (leave < watch + q) {
        a.until = 0;
    }
    a.cost += leave < watch + q ? leave : watch + q;
    return a;
}

/* ---- the best S for each E ---- */

struct line {
    double slope, at_0;
    uint64_t watch;
};

struct hull {
    struct line *line;
    size_t n;
};

/* Where b meets a; a has the greater slope. */
static double crossing(const struct line *a, const struct line *b)
{
    return (b->at_0 - a->at_0) / (a->slope - b->slope);
}

static void add_line(struct hull *h, struct line l)
{
    while (h->n > 1 &&
           crossing(&h->line[h->n - 1], &l) <= crossing(&h->line[h->n - 2], &h->line[h->n - 1])) {
        h->n--;
    }
    h->line[h->n++] = l;
}

static const struct line *lowest(const struct hull *h, double x)
{
    size_t low = 0, high = h->n - 1;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (crossing(&h->line[middle], &h->line[middle + 1]) <= x) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return &h->line[low];
}

static struct line watch_line(const struct sorted *s, uint64_t watch)
{
    const size_t r = rank(s, watch);
    const double longer = (double)(s->n - r);

    return (struct line){
        .slope = s->w * longer,
        .at_0 = (1 + s->w) * s->sum[r] + s->notice * (double)r +
                longer * ((double)watch + s->c->nap_cpu_ns),
        .watch = watch,
    };
}

struct search {
    double cost;
    struct xsc_plan plan;
};

static void consider(struct search *best, double cost, uint64_t watch, uint64_t nap, uint64_t until)
{
    if (cost < best->cost) {
        *best = (struct search){cost, {.watch_ns = watch, .nap_ns = nap, .until_ns = until}};
    }
}

static void consider_nap(struct search *best, const struct sorted *s, const struct line *l,
                         uint64_t e)
{
    const struct after a = after_nap(s, e);

    consider(best, l->slope * a.mean_e + l->at_0 + a.cost, l->watch, e - s->c->nap_latency_ns,
             a.until);
}

/* Naps whose end falls on a wait, at point k of the jitter. */
static void search_ends(struct search *best, const struct sorted *s, struct hull *h, unsigned k)
{
    const uint64_t ahead = xsc_jitter_at(s->c, k) - s->c->nap_latency_ns;
    const uint64_t latency = s->c->nap_latency_ns;
    size_t next = 0; /* first wait not yet a line */

    h->n = 0;
    add_line(h, watch_line(s, 0));
    for (size_t i = 0; i < s->n; i++) {
        if (s->t[i] < ahead + latency || (i && s->t[i] == s->t[i - 1])) {
            continue;
        }
        const uint64_t e = s->t[i] - ahead;

        for (; next < s->n && s->t[next] + latency <= e; next++) {
            if (s->t[next] && (!next || s->t[next] != s->t[next - 1])) {
                add_line(h, watch_line(s, s->t[next]));
            }
        }
        const struct after a = after_nap(s, e);

        consider_nap(best, s, lowest(h, a.mean_e), e);
    }
}

static void search_all(struct search *best, const struct sorted *s, struct hull *h)
{
    const struct line none = watch_line(s, 0);

    consider(best, park_at(s, 0, rank(s, 0)) + s->notice * (double)s->n, 0, XSC_NEVER, 0);
    consider_nap(best, s, &none, s->c->nap_latency_ns);
    for (size_t i = 0; i < s->n; i++) {
        if (i && s->t[i] == s->t[i - 1]) {
            continue;
        }
        const struct line l = watch_line(s, s->t[i]);

        consider(best, park_at(s, s->t[i], rank(s, s->t[i])) + s->notice * (double)s->n, s->t[i],
                 XSC_NEVER, 0);
        consider_nap(best, s, &l, s->t[i] + s->c->nap_latency_ns);
    }
    for (unsigned k = 0; k < xsc_jitter_points(s->c); k++) {
        search_ends(best, s, h, k);
    }
}

int xsc_hindsight(const struct xsc_costs *c, const uint64_t *ns, size_t n, struct xsc_plan *best)
{
    const double w = c->weight / 10.0;
    struct sorted s = {
        .c = c,
        .n = n,
        .t = malloc(n * sizeof(*s.t)),
        .sum = malloc((n + 1) * sizeof(*s.sum)),
        .best_q = malloc(n * sizeof(*s.best_q)),
        .arg_q = malloc(n * sizeof(*s.arg_q)),
        .w = w,
        .park = (double)xsc_cost_park(c, 0) / 10,
        .doze = c->doze_ns ? (double)c->nap_cpu_ns / (double)xsc_doze_period(c) : 0,
        .notice = w * c->watch_latency_ns,
    };
    struct hull h = {malloc((n + 1) * sizeof(*h.line)), 0};
    struct search found = {.cost = 1e300};
    const int err = s.t && s.sum && s.best_q && s.arg_q && h.line ? 0 : -1;

    if (!err) {
        fill(&s, ns);
        search_all(&found, &s, &h);
        *best = found.plan;
    }
    free(s.t);
    free(s.sum);
    free(s.best_q);
    free(s.arg_q);
    free(h.line);
    return err;
}
