#include "bench/histogram.h"

#include <stddef.h>

/* Values below HISTOGRAM_STEPS have a bucket each; those above are told apart
 * by their first seven binary digits. */
static size_t bucket_of(uint64_t value)
{
    unsigned shift = 0;
    while ((value >> shift) >= (uint64_t)2 * HISTOGRAM_STEPS) {
        shift++;
    }
    return (size_t)shift * HISTOGRAM_STEPS + (size_t)(value >> shift);
}

/* The largest value that falls into @bucket. */
static uint64_t bucket_edge(size_t bucket)
{
    if (bucket < (size_t)2 * HISTOGRAM_STEPS) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / HISTOGRAM_STEPS) - 1;
    uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((step + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->buckets[bucket_of(value)]++;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

uint64_t histogram_permille(const struct histogram *histogram,
                            unsigned permille)
{
    uint64_t wanted = (histogram->count * permille + 999) / 1000;
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= wanted && seen > 0) {
            uint64_t edge = bucket_edge(bucket);
            return edge < histogram->max ? edge : histogram->max;
        }
    }
    return 0;
}
