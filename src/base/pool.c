#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sanitized.h"

/* Who uses a freed piece is to be found here as with malloc(3). */
#if HF_IS_SANITIZED
#include <sanitizer/asan_interface.h>
#define POISON(piece, size) ASAN_POISON_MEMORY_REGION(piece, size)
#define UNPOISON(piece, size) ASAN_UNPOISON_MEMORY_REGION(piece, size)
#else
#define POISON(piece, size) ((void)(piece), (void)(size))
#define UNPOISON(piece, size) ((void)(piece), (void)(size))
#endif

/* Who gives back another size than he took would put the piece into a list of
 * pieces that are larger. Tests find him here. */
#if defined(HF_POOL_CHECKS) || HF_IS_SANITIZED || !defined(NDEBUG)
#include <malloc.h>
#define SPLIT_MAX 32 /* malloc(3) makes no piece of what would be left. */
#define CHECK_SIZE(piece, size)                                                \
    HF_ASSERT((size) > HF_POOL_PIECE_MAX ||                                    \
              (malloc_usable_size(piece) >= rounded(size) &&                   \
               malloc_usable_size(piece) <= rounded(size) + SPLIT_MAX))
#else
#define CHECK_SIZE(piece, size) ((void)(piece), (void)(size))
#endif

/* glibc adds eight bytes and rounds up to sixteen: so nothing is wasted. */
static size_t list_of(size_t size)
{
    return (size + 8 + 15) / 16;
}

static size_t rounded(size_t size)
{
    return size > HF_POOL_PIECE_MAX ? size : list_of(size) * 16 - 8;
}

void hf_pool_init(struct hf_pool *pool)
{
    *pool = (struct hf_pool){.bytes = 0};
}

static void *list_take(struct hf_pool *pool, size_t size)
{
    struct hf_pool_list *list = &pool->lists[list_of(size)];
    void *piece = list->first;
    if (piece != NULL) {
        UNPOISON(piece, rounded(size));
        memcpy(&list->first, piece, sizeof(list->first));
        list->bytes -= rounded(size);
        pool->bytes -= rounded(size);
    }
    return piece;
}

void hf_pool_close(struct hf_pool *pool)
{
    for (size_t size = 0; size <= HF_POOL_PIECE_MAX; size += 16) {
        void *piece = list_take(pool, size);
        while (piece != NULL) {
            free(piece);
            piece = list_take(pool, size);
        }
    }
    HF_ASSERT(pool->bytes == 0);
}

static void *pool_resize(void *user, void *old, size_t old_size, size_t size)
{
    struct hf_pool *pool = user;
    if (old != NULL) {
        CHECK_SIZE(old, old_size);
    }
    if (old == NULL && size <= HF_POOL_PIECE_MAX) {
        void *piece = list_take(pool, size);
        if (piece != NULL) {
            return piece;
        }
    }
    return realloc(old, rounded(size));
}

static void pool_release(void *user, void *piece, size_t size)
{
    struct hf_pool *pool = user;
    struct hf_pool_list *list = NULL;
    CHECK_SIZE(piece, size);
    if (size <= HF_POOL_PIECE_MAX) {
        list = &pool->lists[list_of(size)];
    }
    if (list == NULL || list->bytes + rounded(size) > HF_POOL_SIZE_KEEP_BYTES) {
        free(piece);
        return;
    }
    if (pool->bytes + rounded(size) > HF_POOL_KEEP_BYTES) {
        hf_pool_close(pool); /* Sizes that nobody asks for any more. */
    }
    memcpy(piece, &list->first, sizeof(list->first));
    list->first = piece;
    list->bytes += rounded(size);
    pool->bytes += rounded(size);
    POISON(piece, rounded(size));
}

void hf_mem_init_pool(struct hf_mem *mem, struct hf_pool *pool)
{
    *mem = (struct hf_mem){
        .resize = pool_resize, .release = pool_release, .user = pool};
}
