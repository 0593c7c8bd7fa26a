#include "io/time_slice.h"

#include "io/clock.h"

/* How many commands are run between looks at the clock: fewer at first and
 * after one that was dear, for a few bytes can ask for much: to append to a
 * large value takes milliseconds. */
#define STRIDE_FIRST 4
#define STRIDE_MAX 8
#define STRIDE_DEAR_NS ((uint64_t)50 * 1000)

void hf_time_slice_begin(struct hf_time_slice *slice, uint64_t now_ns,
                         uint64_t turn_end_ns)
{
    uint64_t end_ns = now_ns + (uint64_t)HF_TIME_SLICE_US * 1000;
    slice->end_ns = end_ns < turn_end_ns ? end_ns : turn_end_ns;
    slice->looked_ns = now_ns;
    slice->stride = STRIDE_FIRST;
    slice->unlooked = now_ns < turn_end_ns ? STRIDE_FIRST : 0;
}

static bool slice_look(struct hf_time_slice *slice)
{
    uint64_t before_ns = slice->looked_ns;
    slice->looked_ns = hf_clock_now_ns();
    if (slice->looked_ns >= slice->end_ns) {
        return false;
    }
    if (slice->looked_ns - before_ns > STRIDE_DEAR_NS) {
        slice->stride = 1;
    } else if (slice->stride < STRIDE_MAX) {
        slice->stride *= 2;
    }
    slice->unlooked = slice->stride - 1;
    return true;
}

bool hf_time_slice_may_go_on(struct hf_time_slice *slice)
{
    if (slice->unlooked > 0) {
        slice->unlooked--;
        return true;
    }
    return slice_look(slice);
}
