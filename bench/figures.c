/* SPDX-License-Identifier: MIT */
#include "bench/figures.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

void bench_sort(uint64_t *samples, size_t n)
{
    qsort(samples, n, sizeof(*samples), by_value);
}

/* Rank 1 to n; permille 0 gives the smallest. */
static size_t rank_of(size_t n, unsigned permille)
{
    const size_t rank = (n * permille + 999) / 1000;

    return rank < 1 ? 1 : rank > n ? n : rank;
}

uint64_t bench_quantile(const uint64_t *sorted, size_t n, unsigned permille)
{
    return sorted[rank_of(n, permille) - 1];
}

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The numbers among the values, sorted; the caller frees. NULL where there are none. */
static double *sorted_numbers(const double *values, size_t n, size_t *left)
{
    double *v = n ? malloc(n * sizeof(*v)) : NULL;

    *left = 0;
    for (size_t i = 0; v && i < n; i++) {
        if (!isnan(values[i])) {
            v[(*left)++] = values[i];
        }
    }
    if (!*left) {
        free(v);
        return NULL;
    }
    qsort(v, *left, sizeof(*v), by_number);
    return v;
}

struct bench_spread bench_spread_of(const double *values, size_t n)
{
    struct bench_spread s = {NAN, NAN, NAN, 0};
    size_t left;
    double *v = sorted_numbers(values, n, &left);

    if (v) {
        s.n = left;
        s.min = v[0];
        s.max = v[left - 1];
        s.median = left % 2 ? v[left / 2] : (v[left / 2 - 1] + v[left / 2]) / 2;
        free(v);
    }
    return s;
}

double bench_value_quantile(const double *values, size_t n, unsigned permille)
{
    size_t left;
    double *v = sorted_numbers(values, n, &left);
    const double q = v ? v[rank_of(left, permille) - 1] : NAN;

    free(v);
    return q;
}

void bench_ratios(const double *over, const double *under, double *out, size_t n)
{
    /* A NAN on either side ends as one: it compares with nothing, and divided it stays. */
    for (size_t i = 0; i < n; i++) {
        out[i] = under[i] > 0 ? over[i] / under[i] : NAN;
    }
}

size_t bench_at_most(const double *values, size_t n, double limit)
{
    size_t met = 0;

    for (size_t i = 0; i < n; i++) {
        met += !isnan(values[i]) && values[i] <= limit;
    }
    return met;
}
