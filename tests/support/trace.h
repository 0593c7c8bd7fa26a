/* trace.h - What happened lately in a simulated world, for whoever debugs it.
 *
 * A ring of the last lines, like "[   120.350] 2 > ack 7 from 1", kept only
 * when wanted and printed only when something failed; and a hash over all that
 * happened, always kept, by which two runs are known to be the same. */
#ifndef HF_TESTS_TRACE_H
#define HF_TESTS_TRACE_H

#include <stdio.h>

#include "base/bytes.h"

#define TRACE_LINE_BYTES 160
#define TRACE_LINES 6000

struct trace {
    bool enabled; /* Keep lines. */
    bool loud;    /* Print lines on stderr as they come. */
    char (*lines)[TRACE_LINE_BYTES];
    uint64_t count; /* Lines so far; the ring has the last TRACE_LINES. */
    uint64_t hash;
};

void trace_init(struct trace *trace, bool enabled, bool loud);
void trace_close(struct trace *trace);

/* One line, cut to its size. */
void trace_add(struct trace *trace, int64_t now_us, const char *format, ...)
    HF_PRINTF(3, 4);

/* Adds to the hash. */
void trace_mix(struct trace *trace, struct hf_slice bytes);
void trace_mix_number(struct trace *trace, uint64_t number);

/* The last @lines_max lines. */
void trace_print(const struct trace *trace, FILE *file, uint64_t lines_max);

#endif
