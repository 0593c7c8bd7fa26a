/* mem.h - The allocator interface, with exact accounting.
 *
 * Whoever frees says how large the piece was, so that `used_bytes` is exact
 * and costs no header. Tests hand in an allocator that fails on purpose. Not
 * thread-safe: one struct hf_mem belongs to one thread. */
#ifndef HF_BASE_MEM_H
#define HF_BASE_MEM_H

#include "base/types.h"

struct hf_mem {
    /* Like realloc(3): @old_size is 0 and @old NULL for a new piece, @size is
     * never 0. Returns NULL when there is no memory; @old is then intact. */
    void *(*resize)(void *user, void *old, size_t old_size, size_t size);
    void (*release)(void *user, void *piece, size_t size);
    void *user;
    size_t used_bytes; /* Sum of the sizes asked for and not freed. */
};

/* An allocator on top of malloc(3). */
void hf_mem_init_system(struct hf_mem *mem);

/* Tells malloc(3) that no call is to pay for many others. Otherwise glibc puts
 * off joining small free pieces with their neighbours, and then joins all of
 * them in some other call; and it returns all that became free at the end of
 * the heap at once. When a million sessions expire, either is a call of tens of
 * milliseconds in which nothing else runs. Freed memory stays with the process.
 * For the whole process; does nothing where there are no such settings. */
void hf_mem_free_evenly(void);

/* NULL when there is no memory. @size 0 is allowed and gives a piece. */
HF_NODISCARD void *hf_mem_alloc(struct hf_mem *mem, size_t size);

/* The same, filled with zeros. */
HF_NODISCARD void *hf_mem_alloc_zero(struct hf_mem *mem, size_t size);

/* NULL when there is no memory; @old is then still valid at its old size. */
HF_NODISCARD void *hf_mem_resize(struct hf_mem *mem, void *old, size_t old_size,
                                 size_t size);

/* @piece may be NULL. @size must be what was last asked for. */
void hf_mem_free(struct hf_mem *mem, void *piece, size_t size);

/* Has the processor fetch the cache line of @from, which may be anywhere. */
static inline void hf_mem_prefetch(const void *from)
{
    __builtin_prefetch(from);
    /* Or gcc leaves out calls of functions that do nothing else. */
    __asm__ volatile("");
}

#endif
