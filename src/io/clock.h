/* clock.h - The clocks of a node.
 *
 * Leases and deadlines are durations of a clock that only goes forward and
 * also counts the time a machine was suspended. Read it after the bytes of an
 * event were received, never before: a reading that is too early makes a
 * message look as if it had come in time. */
#ifndef HF_IO_CLOCK_H
#define HF_IO_CLOCK_H

#include "base/types.h"

/* The monotonic clock, in milliseconds and in nanoseconds. */
hf_time hf_clock_now(void);
uint64_t hf_clock_now_ns(void);

/* Unix time in milliseconds; may jump. */
int64_t hf_clock_wall_ms(void);

/* Processor time of the calling thread since it started. Takes about a
 * microsecond. */
uint64_t hf_clock_thread_cpu_ns(void);

#endif
