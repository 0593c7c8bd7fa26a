/* hash.h - XXH3 for everything that is placed, looked up or checked.
 *
 * https://xxhash.com; not a cryptographic hash. This is the only user of the
 * xxHash library. */
#ifndef HF_BASE_HASH_H
#define HF_BASE_HASH_H

#include "base/bytes.h"

uint64_t hf_hash(struct hf_slice bytes);
uint64_t hf_hash_seeded(struct hf_slice bytes, uint64_t seed);

#endif
