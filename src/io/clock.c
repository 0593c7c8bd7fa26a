#include "io/clock.h"

#include <time.h>

#include "base/assert.h"

static int64_t read_ms(clockid_t clock)
{
    struct timespec at;
    HF_ASSERT(clock_gettime(clock, &at) == 0);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

hf_time hf_clock_now(void)
{
#ifdef CLOCK_BOOTTIME
    return read_ms(CLOCK_BOOTTIME);
#else
    return read_ms(CLOCK_MONOTONIC);
#endif
}

int64_t hf_clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}
