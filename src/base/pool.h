/* pool.h - malloc(3) behind lists of small pieces that were freed.
 *
 * A write on its way is a few pieces of about the size of its value. glibc
 * keeps freed pieces of over 1,032 bytes in no list of a size but merges and
 * splits them, which costs more than all else the write does with memory. */
#ifndef HF_BASE_POOL_H
#define HF_BASE_POOL_H

#include "base/mem.h"

/* Larger pieces are left to malloc(3). */
#define HF_POOL_PIECE_MAX 4096
/* What is kept at most, of each size and in all, whatever was freed. */
#define HF_POOL_SIZE_KEEP_BYTES ((size_t)512 << 10)
#define HF_POOL_KEEP_BYTES ((size_t)4 << 20)

struct hf_pool_list {
    void *first; /* Each begins with a pointer to the next. */
    size_t bytes;
};

struct hf_pool {
    /* One for each size that malloc(3) knows. */
    struct hf_pool_list lists[HF_POOL_PIECE_MAX / 16 + 2];
    size_t bytes;
};

void hf_pool_init(struct hf_pool *pool);

/* Frees what is kept. All pieces must have been freed before. */
void hf_pool_close(struct hf_pool *pool);

/* An allocator on top of @pool, which must outlive its pieces. What the pool
 * keeps does not count as used. */
void hf_mem_init_pool(struct hf_mem *mem, struct hf_pool *pool);

#endif
