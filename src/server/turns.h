/* turns.h - How long the turns of the loop take.
 *
 * What arrives during a turn waits until it is over, so this is by how much a
 * node holds up its clients and peers, whatever the cause: work of its own, or
 * that the machine did not let it run. A turn is from when the loop took up
 * work after waiting until it waits again.
 *
 * The processor time says which of the two it was. To ask for that takes as
 * long as a command does, so it is not asked after each turn: what it grew by
 * is counted as of one turn, and may be up to HF_TURNS_LOOK_NS too much. */
#ifndef HF_SERVER_TURNS_H
#define HF_SERVER_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_TURNS_BOUND_COUNT 6

/* The bounds that longer turns are counted by, in milliseconds, ascending. */
extern const unsigned hf_turns_bounds_ms[HF_TURNS_BOUND_COUNT];

#define HF_TURNS_LOOK_NS 1000000u /* Between looks at the processor time. */

struct hf_turn_times {
    uint64_t longest_ns;
    uint64_t over[HF_TURNS_BOUND_COUNT]; /* Turns longer than that bound. */
};

/* All zero: no turn yet. */
struct hf_turns {
    uint64_t began_ns; /* The turn under way; 0: none. */
    uint64_t count;
    struct hf_turn_times lag; /* As time passed. */
    struct hf_turn_times cpu; /* Processor time of the loop's thread. */
    uint64_t looked_ns;       /* When hf_turns_cpu was called last, */
    uint64_t cpu_ns;          /* and with what. */
};

/* The loop has work, at @now_ns: the turn began, unless it had already. */
void hf_turns_begin(struct hf_turns *turns, uint64_t now_ns);

/* The loop waits again, at @now_ns. Nothing when no turn had begun. True: it is
 * time to call hf_turns_cpu. */
bool hf_turns_end(struct hf_turns *turns, uint64_t now_ns);

/* The processor time of the loop's thread so far. */
void hf_turns_cpu(struct hf_turns *turns, uint64_t cpu_ns);

#endif
