#include "support/failing_mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* In front of each piece. */
struct piece {
    size_t size;
    _Alignas(max_align_t) uint8_t bytes[];
};

static struct piece *piece_of(void *bytes, size_t size)
{
    struct piece *piece = HF_CONTAINER_OF(bytes, struct piece, bytes);
    HF_ASSERT(piece->size == size);
    return piece;
}

static bool should_fail(struct failing_mem *failing)
{
    failing->call_count++;
    bool fails =
        failing->fail_call != 0 &&
        (failing->call_count == failing->fail_call ||
         (failing->fail_always && failing->call_count > failing->fail_call));
    fails = fails || (failing->chance != 0 &&
                      hf_rng_chance(&failing->rng, failing->chance, 10000));
    failing->failed |= fails;
    return fails;
}

static void failing_release(void *user, void *bytes, size_t size)
{
    struct failing_mem *failing = user;
    free(piece_of(bytes, size));
    failing->piece_count--;
}

static void *failing_resize(void *user, void *old, size_t old_size, size_t size)
{
    struct failing_mem *failing = user;
    if (should_fail(failing)) {
        return NULL;
    }
    struct piece *piece = malloc(sizeof(*piece) + size);
    HF_ASSERT(piece != NULL);
    piece->size = size;
    failing->piece_count++;
    memset(piece->bytes, 0xa5, size);
    if (old != NULL) {
        memcpy(piece->bytes, old, old_size < size ? old_size : size);
        failing_release(user, old, old_size);
    }
    return piece->bytes;
}

void failing_mem_init(struct failing_mem *failing)
{
    *failing = (struct failing_mem){.mem = {.resize = failing_resize,
                                            .release = failing_release,
                                            .user = failing}};
}

void failing_mem_close(struct failing_mem *failing)
{
    HF_ASSERT(failing->piece_count == 0);
    HF_ASSERT(failing->mem.used_bytes == 0);
}

void failing_mem_fail_nth(struct failing_mem *failing, uint64_t nth)
{
    failing->fail_call = nth == 0 ? 0 : failing->call_count + nth;
    failing->fail_always = false;
    failing->failed = false;
}

void failing_mem_fail_from(struct failing_mem *failing, uint64_t nth)
{
    failing_mem_fail_nth(failing, nth);
    failing->fail_always = nth != 0;
}

void failing_mem_fail_often(struct failing_mem *failing, uint32_t chance,
                            uint64_t seed)
{
    failing->chance = chance;
    hf_rng_init(&failing->rng, seed);
}
