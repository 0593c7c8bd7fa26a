#include "server/turns.h"

#define NS_PER_MS 1000000u

const unsigned hf_turns_bounds_ms[HF_TURNS_BOUND_COUNT] = {1,  2,  5,
                                                           10, 25, 100};

void hf_turns_begin(struct hf_turns *turns, uint64_t now_ns)
{
    if (turns->began_ns == 0) {
        turns->began_ns = now_ns;
    }
}

void hf_turns_end(struct hf_turns *turns, uint64_t now_ns)
{
    if (turns->began_ns == 0) {
        return;
    }
    uint64_t took_ns = now_ns - turns->began_ns;
    turns->began_ns = 0;
    turns->count++;
    if (took_ns > turns->longest_ns) {
        turns->longest_ns = took_ns;
    }
    for (size_t i = 0; i < HF_TURNS_BOUND_COUNT &&
                       took_ns > (uint64_t)hf_turns_bounds_ms[i] * NS_PER_MS;
         i++) {
        turns->over[i]++;
    }
}
