/* histogram.h - Counts of durations, for percentiles.
 *
 * Buckets grow with what they count: every power of two is divided into
 * HISTOGRAM_STEPS, so a percentile is at most 1/HISTOGRAM_STEPS too large,
 * from nanoseconds to hours, and recording is a few instructions. */
#ifndef HF_BENCH_HISTOGRAM_H
#define HF_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 59)

/* All zero is empty. */
struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The smallest edge of a bucket that @permille of 1,000 values are not above;
 * never more than the maximum; 0 when there are no values. */
uint64_t histogram_permille(const struct histogram *histogram,
                            unsigned permille);

#endif
