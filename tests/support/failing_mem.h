/* failing_mem.h - An allocator that fails when told to, and never lies.
 *
 * Works on malloc(3), so that sanitizers still see every piece. Remembers how
 * large each piece is and stops the test when somebody frees or resizes one
 * with another size. Every resize really moves the piece, so that a stale
 * pointer is found. */
#ifndef HF_TESTS_SUPPORT_FAILING_MEM_H
#define HF_TESTS_SUPPORT_FAILING_MEM_H

#include "base/mem.h"
#include "base/rng.h"

struct failing_mem {
    struct hf_mem mem;
    size_t piece_count; /* Not freed yet. */
    uint64_t call_count;
    uint64_t fail_call; /* The call that fails; 0: none. */
    bool fail_always;   /* From fail_call on. */
    bool failed;        /* Since the last failing_mem_fail_*. */
    uint32_t chance;    /* Of 10,000 calls, how many fail; 0: none. */
    struct hf_rng rng;
};

void failing_mem_init(struct failing_mem *failing);
/* Fails the test when anything was not freed. */
void failing_mem_close(struct failing_mem *failing);
/* The @nth next request for memory fails, 1 being the next one; 0: none. */
void failing_mem_fail_nth(struct failing_mem *failing, uint64_t nth);
/* The same, and all requests after it. */
void failing_mem_fail_from(struct failing_mem *failing, uint64_t nth);
/* From now on each request fails @chance times in 10,000, drawn from @seed;
 * 0: none does. */
void failing_mem_fail_often(struct failing_mem *failing, uint32_t chance,
                            uint64_t seed);

#endif
