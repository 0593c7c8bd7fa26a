#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#ifdef __GLIBC__
#include <malloc.h>

/* Fixed, since the other setting would stop it from adapting; larger pieces
 * are mapped and unmapped one by one. */
#define MMAP_THRESHOLD (4 << 20)
#endif

static void *system_resize(void *user, void *old, size_t old_size, size_t size)
{
    (void)user;
    (void)old_size;
    return realloc(old, size);
}

static void system_release(void *user, void *piece, size_t size)
{
    (void)user;
    (void)size;
    free(piece);
}

void hf_mem_init_system(struct hf_mem *mem)
{
    *mem = (struct hf_mem){.resize = system_resize, .release = system_release};
}

void hf_mem_free_evenly(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_TRIM_THRESHOLD, -1);
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    (void)mallopt(M_MXFAST, 0); /* Chunks freed, but not yet joined. */
#endif
}

void *hf_mem_alloc(struct hf_mem *mem, size_t size)
{
    return hf_mem_resize(mem, NULL, 0, size);
}

void *hf_mem_alloc_zero(struct hf_mem *mem, size_t size)
{
    void *piece = hf_mem_alloc(mem, size);
    if (piece != NULL) {
        memset(piece, 0, size);
    }
    return piece;
}

/* What a piece of @size bytes is to the allocator: never nothing. */
static size_t real_size(size_t size)
{
    return size == 0 ? 1 : size;
}

void *hf_mem_resize(struct hf_mem *mem, void *old, size_t old_size, size_t size)
{
    HF_ASSERT(mem->used_bytes >= old_size);
    void *piece = mem->resize(
        mem->user, old, old == NULL ? 0 : real_size(old_size), real_size(size));
    if (piece != NULL) {
        mem->used_bytes += size - old_size;
    }
    return piece;
}

void hf_mem_free(struct hf_mem *mem, void *piece, size_t size)
{
    if (piece == NULL) {
        return;
    }
    HF_ASSERT(mem->used_bytes >= size);
    mem->used_bytes -= size;
    mem->release(mem->user, piece, real_size(size));
}
