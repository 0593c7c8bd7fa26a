/* time_slice.h - How long one client may run while others wait.
 *
 * The clock is read after what is run was received, so that whoever answers by
 * it (a lease may be over) answers as of then. */
#ifndef HF_IO_TIME_SLICE_H
#define HF_IO_TIME_SLICE_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds. */
#define HF_TIME_SLICE_US 500

struct hf_time_slice {
    uint64_t end_ns;
    uint64_t looked_ns; /* At the clock. */
    uint32_t stride;    /* Commands from one look to the next, */
    uint32_t unlooked;  /* and those left until then. */
};

/* Begins a slice at @now_ns of the clock. It ends after HF_TIME_SLICE_US,
 * or at @turn_end_ns when that is earlier. */
void hf_time_slice_begin(struct hf_time_slice *slice, uint64_t now_ns,
                         uint64_t turn_end_ns);

/* Asked before each command: whether it may still run. Does not look at the
 * clock each time. */
bool hf_time_slice_may_go_on(struct hf_time_slice *slice);

#endif
