#include "base/hash.h"

/* Compiled here, since the library's own build leaves its loops as they are. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hf_hash(struct hf_slice bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

uint64_t hf_hash_seeded(struct hf_slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}
