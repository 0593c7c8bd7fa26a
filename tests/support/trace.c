#include "support/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

void trace_init(struct trace *trace, bool enabled, bool loud)
{
    *trace = (struct trace){.enabled = enabled || loud, .loud = loud};
    if (trace->enabled) {
        trace->lines = malloc((size_t)TRACE_LINES * TRACE_LINE_BYTES);
        HF_ASSERT(trace->lines != NULL);
    }
}

void trace_close(struct trace *trace)
{
    free(trace->lines);
    trace->lines = NULL;
    trace->enabled = false;
}

void trace_add(struct trace *trace, int64_t now_us, const char *format, ...)
{
    if (!trace->enabled) {
        return;
    }
    char *line = trace->lines[trace->count % TRACE_LINES];
    trace->count++;
    int size = snprintf(line, TRACE_LINE_BYTES, "[%6" PRId64 ".%03d] ",
                        now_us / 1000, (int)(now_us % 1000));
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + size, TRACE_LINE_BYTES - (size_t)size, format,
                    arguments);
    va_end(arguments);
    if (trace->loud) {
        (void)fprintf(stderr, "%s\n", line);
    }
}

void trace_mix(struct trace *trace, struct hf_slice bytes)
{
    trace->hash = hf_hash_seeded(bytes, trace->hash);
}

void trace_mix_number(struct trace *trace, uint64_t number)
{
    uint8_t bytes[sizeof(number)];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
    trace_mix(trace, (struct hf_slice){bytes, sizeof(bytes)});
}

void trace_print(const struct trace *trace, FILE *file, uint64_t lines_max)
{
    if (!trace->enabled) {
        return;
    }
    uint64_t kept = trace->count < TRACE_LINES ? trace->count : TRACE_LINES;
    uint64_t shown = kept < lines_max ? kept : lines_max;
    for (uint64_t i = trace->count - shown; i < trace->count; i++) {
        (void)fprintf(file, "%s\n", trace->lines[i % TRACE_LINES]);
    }
}
