/* SPDX-License-Identifier: MIT */
/*
 * bench/figures.h - the arithmetic of measurements: quantiles, spreads, ratios
 *
 * Pure: no clock, no thread, no output. Quantiles are exact: all samples are kept and
 * sorted, and the nearest-rank sample is reported, so every figure printed was measured.
 */
#ifndef XSC_BENCH_FIGURES_H
#define XSC_BENCH_FIGURES_H

#include <stddef.h>
#include <stdint.h>

/* Sorts in place, smallest first. */
void bench_sort(uint64_t *samples, size_t n);

/* The nearest-rank quantile of n >= 1 sorted samples: the ceil(n * permille / 1000)-th. */
uint64_t bench_quantile(const uint64_t *sorted, size_t n, unsigned permille);

/* What one figure came to over the rounds. n 0: it was never measured. */
struct bench_spread {
    double median, min, max;
    size_t n;
};

/* Of n values, those that are not numbers left out. The median of an even n is the mean of two. */
struct bench_spread bench_spread_of(const double *values, size_t n);

/* The nearest-rank quantile of the values that are numbers; NAN where there are none. */
double bench_value_quantile(const double *values, size_t n, unsigned permille);

/*
 * Round by round over[i] / under[i] into out, NAN where one of them is missing or under is
 * not positive. What disturbs a round (a neighbour, another clock rate) disturbs both sides
 * of its ratio, which a ratio of two medians would not know.
 */
void bench_ratios(const double *over, const double *under, double *out, size_t n);

/* How many of the values are numbers and at most limit. */
size_t bench_at_most(const double *values, size_t n, double limit);

#endif /* XSC_BENCH_FIGURES_H */
