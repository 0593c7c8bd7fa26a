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

static void times_add(struct hf_turn_times *times, uint64_t took_ns)
{
    if (took_ns > times->longest_ns) {
        times->longest_ns = took_ns;
    }
    for (size_t i = 0; i < HF_TURNS_BOUND_COUNT &&
                       took_ns > (uint64_t)hf_turns_bounds_ms[i] * NS_PER_MS;
         i++) {
        times->over[i]++;
    }
}

bool hf_turns_end(struct hf_turns *turns, uint64_t now_ns)
{
    if (turns->began_ns == 0) {
        return false;
    }
    times_add(&turns->lag, now_ns - turns->began_ns);
    turns->began_ns = 0;
    turns->count++;
    if (now_ns - turns->looked_ns < HF_TURNS_LOOK_NS) {
        return false;
    }
    turns->looked_ns = now_ns;
    return true;
}

void hf_turns_cpu(struct hf_turns *turns, uint64_t cpu_ns)
{
    if (turns->cpu_ns != 0) { /* Before that there was the start. */
        times_add(&turns->cpu, cpu_ns - turns->cpu_ns);
    }
    turns->cpu_ns = cpu_ns;
}
